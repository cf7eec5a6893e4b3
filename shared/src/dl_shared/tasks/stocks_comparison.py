"""Recipes beside each other on the same test days: what a part of one is worth, and whether that could be chance."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.files import atomic_path
from dl_shared.metrics.bootstrap import percentile_interval
from dl_shared.metrics.forecasting import block_weights, diebold_mariano
from dl_shared.plots.forecasting import worth_bars
from dl_shared.tasks.stocks_data import Data

WHOLE = "the recipe"


@dataclass(frozen=True)
class Daily:
    """What one recipe's forecasts of a part come to, day by day.

    Attributes:
        days: absolute errors of all windows of each day t, in units of the volatility known on it, so that companies
            count alike; and how many there are. `(days, 2)`
        skill: 1 - MAE / MAE of persistence, in dollars.
    """

    days: Float[np.ndarray, "days two"]
    skill: float

    @classmethod
    def of(cls, data: Data, forecasts: Float[np.ndarray, "windows horizon"]) -> "Daily":
        """The daily errors of forecasts of the test part."""
        test = data.test
        scale = data.volatility()[:, None] * np.sqrt(np.arange(1, test.horizon + 1))
        errors = (np.abs(forecasts - test.targets) / scale).mean(axis=1)
        return cls(sum_by_day(errors, test.dates), data.score(forecasts, replicates=0)["skill"])


def sum_by_day(values: Float[np.ndarray, " rows"], dates: np.ndarray) -> Float[np.ndarray, "days two"]:
    """Sums and numbers of the rows of each day."""
    _, day = np.unique(dates, return_inverse=True)
    return np.stack([np.bincount(day, values), np.bincount(day).astype(float)], axis=1)


def rise(
    reference: Float[np.ndarray, "days two"], other: Float[np.ndarray, "days two"], *, horizon: int
) -> tuple[float, float, float]:
    """By how many percent the mean loss of the other lies above the reference's, and the 95 % interval of that.

    Args:
        reference, other: sums of losses and numbers of rows, of the same days.
        horizon: days ahead that the rows forecast; blocks of twice as many are drawn together.
    """
    weights = block_weights(len(reference), block=2 * horizon, replicates=1000, seed=0)
    drawn = 100 * ((weights @ other[:, 0]) / (weights @ reference[:, 0]) - 1)
    low, high = percentile_interval(drawn)
    return float(100 * (other[:, 0].sum() / reference[:, 0].sum() - 1)), float(low), float(high)


def compare_recipes(found: Mapping[str, Sequence[Daily]], *, horizon: int) -> list[dict[str, Any]]:
    """A row for each recipe, the first being the one that the others are compared with.

    `worth` is by how many percent the error rises when the recipe is exchanged for this one, with the 95 %
    block-bootstrap interval of that, and `p_value` that of the Diebold-Mariano test. Both are of the mean over seeds,
    paired by day, so they hold the chance of test days; that of trainings shows in `skills`, one for each seed.

    Args:
        found: for each recipe one for each seed, of the same test days.
        horizon: days ahead.
    """
    means = {name: np.mean([run.days for run in runs], axis=0) for name, runs in found.items()}
    (first, reference), *_ = means.items()
    rows = []
    for name, runs in found.items():
        skills = [run.skill for run in runs]
        row: dict[str, Any] = {"recipe": name, "skill": float(np.mean(skills)), "skills": skills}
        if name != first:
            worth, low, high = rise(reference, means[name], horizon=horizon)
            losses = (means[part][:, 0] / means[part][:, 1] for part in (first, name))
            _, p_value = diebold_mariano(*losses, horizon=horizon)
            row |= {"worth": worth, "worth_ci": [low, high], "p_value": p_value}
        rows.append(row)
    return rows


def write_comparison(folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """comparison.csv and comparison.png."""
    with atomic_path(folder / "comparison.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["recipe", "skill", "worth", "worth_low", "worth_high", "p_value", "skills"])
        for row in rows:
            low, high = row.get("worth_ci", ("", ""))
            skills = " ".join(map(str, row["skills"]))
            worth = [row.get("worth", ""), low, high, row.get("p_value", "")]
            writer.writerow([row["recipe"], row["skill"], *worth, skills])
    bars = {row["recipe"]: (row["worth"], *row["worth_ci"]) for row in rows[1:]}
    picture = worth_bars(bars, label=f"error on test data against {rows[0]['recipe']} (%)")
    with atomic_path(folder / "comparison.png") as temporary:
        picture.savefig(temporary, dpi=160)
