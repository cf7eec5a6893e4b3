"""The verb `compare`: the recipe whole, and with parts left out or exchanged, trained at one budget on one split."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.data.indicators import DEFAULT_FEATURES
from dl_shared.files import atomic_path
from dl_shared.metrics.forecasting import coverage, pinball_loss
from dl_shared.plots.forecasting import worth_bars
from dl_shared.progress import say
from dl_shared.tasks.stocks import Data, load_data
from dl_shared.tasks.stocks_comparison import WHOLE, rise, sum_by_day
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.devices import training_mesh
from flax_projects.stocks.config import Config, Normalization, Positions
from flax_projects.stocks.options import CompareOptions
from flax_projects.stocks.train import MEDIAN, fit_quietly

GROUPS = {
    "volume": ("volume", "volume_change"),
    "day range and night": ("range", "overnight"),
    "volatility": ("volatility",),
    "indicators": ("sma_20", "sma_50", "ema_12", "rsi", "macd", "bollinger", "return_5", "return_20"),
}


def variants(config: Config, parts: Sequence[str]) -> Iterator[tuple[str, Config]]:
    """The recipe, then what differs from it in one part each."""
    yield WHOLE, config
    features = config.features or DEFAULT_FEATURES
    if "features" in parts:
        for name, group in GROUPS.items():
            kept = tuple(feature for feature in features if feature not in group)
            if kept and kept != features:
                yield f"without {name}", replace(config, features=kept)
        if len(features) > 1:
            yield "returns alone", replace(config, features=("return",), exogenous=None)
        if config.exogenous is not None:
            yield "without the CSV", replace(config, exogenous=None)
    if "normalization" in parts:
        normalization: Normalization = "returns" if config.normalization == "revin" else "revin"
        yield f"normalization {normalization}", replace(config, normalization=normalization)
    if "positions" in parts:
        positions: Positions = "learned" if config.positions == "rotary" else "rotary"
        yield f"positions {positions}", replace(config, positions=positions)
    if "members" in parts and config.members > 1:
        yield "one member", replace(config, members=1)


def compare(config: Config, options: CompareOptions) -> list[dict[str, Any]]:
    """Train every variant and test it; writes comparison.csv and comparison.png. One row for each variant.

    `worth` is by how many percent the pinball loss rises when the part is left out, with the 95 % block-bootstrap
    interval of that difference, over the same test windows; of one training each, so the spread of trainings is not in
    it. `skill` is of log returns in units of `target_scale`, as in validation.
    """
    mesh = training_mesh(config)
    whole = load_data(config)
    rows: list[dict[str, Any]] = []
    reference: Float[np.ndarray, "days two"] | None = None
    for name, variant in variants(config, options.parts):
        say(name)
        data = load_data(variant, cuts=whole.cuts)  # warming up fewer features would move the cuts by days
        if not np.array_equal(data.test.dates, whole.test.dates):
            raise AssertionError("the variants must be tested on the same windows")
        quantiles = fit_quietly(variant, data, mesh).forecast(data.test)
        losses, scores = daily_losses(data, quantiles)
        reference = losses if reference is None else reference
        worth, low, high = rise(reference, losses, horizon=config.horizon)
        rows.append({"variant": name, "worth": worth, "worth_ci": [low, high], **scores})
    write_results(options.output, rows)
    say(f"table and picture are in {options.output}")
    return rows


def daily_losses(data: Data, quantiles: Float[np.ndarray, "windows horizon levels"]):
    """Pinball losses and rows of each test day, `(days, 2)`, and the scores of all together."""
    targets, forecasts = data.test.targets / data.target_scale, quantiles / data.target_scale[:, None]
    loss = pinball_loss(forecasts, targets, LEVELS).mean(axis=(1, 2))
    error = np.abs(targets - forecasts[..., MEDIAN]).sum()
    return sum_by_day(loss, data.test.dates), {
        "pinball": float(loss.mean()),
        "skill": 1 - float(error / np.abs(targets).sum()),
        "coverage": coverage(forecasts[..., 0], forecasts[..., -1], targets),
    }


def write_results(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    with atomic_path(folder / "comparison.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["variant", "worth", "worth_low", "worth_high", "pinball", "skill", "coverage"])
        for row in rows:
            low, high = row["worth_ci"]
            scores = [row[name] for name in ("pinball", "skill", "coverage")]
            writer.writerow([row["variant"], row["worth"], low, high, *scores])
    worth = {row["variant"]: (row["worth"], *row["worth_ci"]) for row in rows[1:]}
    picture = worth_bars(worth, label="pinball loss on test data against the whole recipe (%)")
    with atomic_path(folder / "comparison.png") as temporary:
        picture.savefig(temporary, dpi=160)
