"""The verb `compare`: recipes that differ in one part each, on the same test days, beside the classical methods."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from dl_shared.data.windows import Windows
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_comparison import WHOLE, Daily, compare_recipes, write_comparison
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.unrecorded import unrecorded_run
from xla_projects.device import Device, start_device
from xla_projects.stocks.config import INDICATORS, Config
from xla_projects.stocks.data import load_data
from xla_projects.stocks.options import CompareOptions
from xla_projects.stocks.train import fit


def recipes(config: Config, options: CompareOptions) -> Iterator[tuple[str, Config]]:
    """The recipe asked for, and those that differ from it in one part each, by name.

    Raises:
        InputError: if nothing would be left without indicators.
    """
    yield WHOLE, config
    for days in options.lookbacks:
        if days != config.lookback:
            yield f"{days} days", replace(config, lookback=days)
    for cell in options.cells:
        if cell != config.cell:
            yield cell.upper(), replace(config, cell=cell)
    if options.indicators:
        others = tuple(name for name in config.features if name not in INDICATORS)
        if not others or others == config.features:
            raise InputError(f"--indicators needs --features of both kinds, got {', '.join(config.features)}")
        yield "without indicators", replace(config, features=others)


def compare(config: Config, options: CompareOptions) -> list[dict[str, Any]]:
    """Train every recipe with every seed and test it; writes comparison.csv and comparison.png.

    Returns:
        a row for each recipe and each classical method, see `dl_shared.tasks.stocks_comparison.compare_recipes`.
    """
    device, chosen = start_device(config), dict(recipes(config, options))
    # The recipe with the longest window can forecast the fewest days, so that all are tested on its test days.
    longest = replace(config, lookback=max(recipe.lookback for recipe in chosen.values()))
    whole = load_data(longest)
    for note in whole.notes:
        say(note)
    found: dict[str, list[Daily]] = {}
    for name, recipe in chosen.items():
        data = load_data(recipe, cuts=whole.cuts)  # with fewer features to warm up, its own cuts would differ by days
        seeds = [replace(recipe, seed=config.seed + turn) for turn in range(options.seeds)]
        found[name] = [Daily.of(whole, forecasts(one, data, whole, device)) for one in seeds]
        say(f"{name}: skill {', '.join(f'{run.skill:+.4f}' for run in found[name])}")
    classical = {name.replace("_", " "): [Daily.of(whole, made)] for name, made in whole.baselines.items()}
    rows = compare_recipes(found | classical, horizon=config.horizon)
    write_comparison(options.output, rows)
    say(f"table and picture are in {options.output}")
    return rows


def forecasts(
    config: Config, data: stocks.Data, whole: stocks.Data, device: Device
) -> Float[np.ndarray, "windows horizon"]:
    """Cumulative log returns forecast by a training that keeps no run.

    Args:
        config: with the seed of the training.
        data: for it, the same whatever the seed.
        whole: has the test windows of all recipes.
        device: that trains.
    """
    outputs = Outputs.of(data, LEVELS)
    with unrecorded_run() as run:
        predictor = fit(config, data, outputs, run, device)
    made = predictor(data.test.series, same_ends(data.test, whole.test), config.lookback)
    return outputs.to_returns(made, whole.volatility())


def same_ends(windows: Windows, wanted: Windows) -> Int[np.ndarray, " wanted"]:
    """Where those of `windows` end that forecast from the same days as `wanted`, in the same order."""
    assert windows.tickers == wanted.tickers, "of the same companies"
    own, others = (
        np.rec.fromarrays([part.ticker_ids, part.dates.astype("datetime64[D]").astype(int)])
        for part in (windows, wanted)
    )
    rows = np.isin(own, others)
    assert (own[rows] == others).all(), "every day wanted must be there"
    return windows.ends[rows]
