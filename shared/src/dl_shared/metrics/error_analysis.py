"""Where forecasts err: errors and skill of groups of rows, with intervals that hold for all groups at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from dl_shared.metrics.forecasting import block_weights

SMALLEST_ERROR = 1e-12  # of persistence, where no price moved
FEWEST_BLOCKS = 5  # of days that depend on each other: the spread of fewer is not known


@dataclass(frozen=True)
class Group:
    """What is true of some of the forecasts.

    Attributes:
        name: for people.
        count: forecasts, each of one price.
        error: mean absolute error, percent of the price on the day of the forecast.
        reference: the same of persistence.
        skill: 1 - error / reference.
        interval: of the skill, see `compare_groups`; None for a group seen over too few days to tell.
        coverage: share of actual prices inside their intervals, where forecasts have intervals.
    """

    name: str
    count: int
    error: float
    reference: float
    skill: float
    interval: tuple[float, float] | None
    coverage: float | None = None

    @property
    def verdict(self) -> Literal["better", "worse", "open"]:
        """Against persistence, as far as the interval tells."""
        if self.interval is None:
            return "open"
        low, high = self.interval
        return "better" if low > 0 else "worse" if high < 0 else "open"


def compare_groups(
    errors: Float[np.ndarray, "windows horizon"],
    reference: Float[np.ndarray, "windows horizon"],
    group: Int[np.ndarray, "windows horizon"],
    names: Sequence[str],
    *,
    dates: Shaped[np.ndarray, " windows"],
    inside: Bool[np.ndarray, "windows horizon"] | None = None,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
) -> tuple[Group, ...]:
    """Errors of each group beside persistence's, in the order of the names; groups without rows are left out.

    Of twelve months one would lie outside its own 95 % interval in almost half of all cases, though nothing is to be
    found. So the intervals are simultaneous: in `level` of all cases *every* group's true skill is in its interval.
    They are the skill +- c standard errors, with c the quantile of the largest deviation, in standard errors, of any
    group (the sup-t band of Montiel Olea and Plagborg-Møller 2019, "Simultaneous confidence bands") over replicates
    of the block bootstrap of days (`block_weights`), which leaves days and companies as dependent as they are.

    Args:
        errors: absolute, percent of the price on day t.
        reference: of persistence.
        group: index into `names`.
        names: of the groups.
        dates: day t.
        inside: whether the actual price was in its interval.
        level: of the intervals.
        replicates: of the bootstrap.
        seed: of the bootstrap.
    """
    days, day = np.unique(dates, return_inverse=True)
    cell = (day[:, None] * len(names) + group).ravel()

    def daily(values: Float[np.ndarray, "windows horizon"]) -> Float[np.ndarray, "days groups"]:
        return np.bincount(cell, values.ravel(), len(days) * len(names)).reshape(len(days), len(names))

    ours, theirs, counts = daily(errors), daily(reference), daily(np.ones_like(errors))
    weights = block_weights(len(days), block=2 * errors.shape[1], replicates=replicates, seed=seed)
    known = _count_blocks(counts, 2 * errors.shape[1]) >= FEWEST_BLOCKS
    skill = _skill(ours.sum(axis=0), theirs.sum(axis=0))
    half = np.full(len(names), np.nan)
    half[known] = _simultaneous(_skill(weights @ ours[:, known], weights @ theirs[:, known]), skill[known], level)
    hits = None if inside is None else daily(inside.astype(float)).sum(axis=0)
    return tuple(
        Group(
            name=names[number],
            count=int(count),
            error=float(ours[:, number].sum() / count),
            reference=float(theirs[:, number].sum() / count),
            skill=float(skill[number]),
            interval=(float(skill[number] - half[number]), float(skill[number] + half[number]))
            if known[number]
            else None,
            coverage=None if hits is None else float(hits[number] / count),
        )
        for number, count in enumerate(counts.sum(axis=0))
        if count
    )


def _count_blocks(counts: Float[np.ndarray, "days groups"], block: int) -> Int[np.ndarray, " groups"]:
    """On how many stretches of so many days each group has any rows."""
    starts = np.arange(0, len(counts), block)
    return (np.add.reduceat(counts, starts, axis=0) > 0).sum(axis=0)


def _skill(
    ours: Float[np.ndarray, "*more groups"], theirs: Float[np.ndarray, "*more groups"]
) -> Float[np.ndarray, "*more groups"]:
    """0 where there are no errors at all, as in a replicate that drew none of a group's days."""
    return np.where(theirs + ours > 0, 1 - ours / np.maximum(theirs, SMALLEST_ERROR), 0.0)


def _simultaneous(
    drawn: Float[np.ndarray, "replicates groups"], skill: Float[np.ndarray, " groups"], level: float
) -> Float[np.ndarray, " groups"]:
    """Half of the width of each group's interval."""
    deviation = drawn - skill
    error = np.sqrt((deviation**2).mean(axis=0))
    largest = np.max(np.abs(deviation) / np.where(error > 0, error, np.inf), axis=1, initial=0.0)
    return float(np.quantile(largest, level)) * error
