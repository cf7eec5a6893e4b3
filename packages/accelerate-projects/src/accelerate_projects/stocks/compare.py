"""The verb `compare`: recipes that differ in one part each, trained at one budget and tested on the same days."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from accelerate_projects.processes import make_accelerator
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import load_data
from accelerate_projects.stocks.options import CompareOptions
from accelerate_projects.stocks.train import Predictor, fit
from accelerate_projects.unrecorded import unrecorded_run
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.tasks import stocks, stocks_forecast
from dl_shared.tasks.stocks_comparison import WHOLE, Daily, compare_recipes, write_comparison
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs


def recipes(config: Config, options: CompareOptions) -> Iterator[tuple[str, Config]]:
    """The recipes to compare, by name; the first is the reference."""
    if options.cells:
        for cell in options.cells:
            yield cell.upper(), replace(config, cell=cell)
        return
    yield WHOLE, config
    if config.uses_news:
        yield "without headlines", without(config, "news")
    if options.groups or not config.uses_news:
        for group in config.features:
            if group != "news" and len(config.features) > 1:
                yield f"without {group}", without(config, group)


def without(config: Config, group: str) -> Config:
    """The recipe with all groups of features but this one."""
    return replace(config, features=tuple(name for name in config.features if name != group))


def compare(config: Config, options: CompareOptions) -> list[dict[str, Any]]:
    """Train every recipe with every seed and test it; writes comparison.csv and comparison.png.

    Returns:
        a row for each recipe, see `dl_shared.tasks.stocks_comparison.compare_recipes`.
    """
    chosen = dict(recipes(config, options))
    if len(chosen) < 2:
        raise InputError(
            "one group of features alone leaves nothing to compare; give --headlines, --cells or --features"
        )
    whole = load_data(config)
    for note in whole.notes:
        say(note)
    found: dict[str, list[Daily]] = {}
    for name, recipe in chosen.items():
        data = load_data(recipe, cuts=whole.cuts)  # with fewer features to warm up, its own cuts would differ by days
        found[name] = [
            train_quietly(replace(recipe, seed=config.seed + turn), data, whole) for turn in range(options.seeds)
        ]
        say(f"{name}: skill {', '.join(f'{run.skill:+.4f}' for run in found[name])}")
    rows = compare_recipes(found, horizon=config.horizon)
    write_comparison(options.output, rows)
    say(f"table and picture are in {options.output}")
    return rows


def train_quietly(config: Config, data: stocks.Data, whole: stocks.Data) -> Daily:
    """The test errors of a training that keeps no run.

    Args:
        config: with the seed of the training.
        data: for it, the same whatever the seed.
        whole: has the test windows of all recipes, and their volatilities.
    """
    assert (data.test.dates == whole.test.dates).all(), "the recipes must be tested on the same windows"
    outputs = Outputs.of(data, LEVELS)
    with unrecorded_run() as run:
        network = Predictor(fit(config, data, outputs, run, make_accelerator(config)))
    forecasts = outputs.to_returns(stocks_forecast.predict(network, data.test), data.volatility())
    return Daily.of(whole, forecasts)
