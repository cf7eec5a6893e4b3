"""Percentile bootstrap intervals (Efron and Tibshirani 1993, chapter 13): the spread other test rows would give."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped


def bootstrap_ci(
    statistic: Callable[..., Any],
    *row_arrays: np.ndarray,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """The interval of a statistic over rows drawn again with replacement.

    Args:
        statistic: takes arrays like `row_arrays`, returns one number.
        row_arrays: one or more arrays of the same length; row i of each belongs to example i.
        replicates: how many times the rows are drawn.
        seed: the same seed gives the same interval.
        level: the share of replicates inside the interval.

    Returns:
        low, high. Replicates in which the statistic is NaN (a class that was not drawn, say) are left out; both
        are NaN if that is all of them.

    Raises:
        ValueError: if there are no rows, or arrays of different lengths.
    """
    low, high = percentile_interval(
        bootstrap_replicates(statistic, *row_arrays, replicates=replicates, seed=seed), level
    )
    return float(low), float(high)


def bootstrap_replicates(
    statistic: Callable[..., Any], *row_arrays: np.ndarray, replicates: int = 1000, seed: int = 0
) -> Shaped[np.ndarray, "replicates ..."]:
    """The statistic in each replicate; it may be an array, so that one drawing of rows serves many figures.

    Raises:
        ValueError: if there are no rows, or arrays of different lengths.
    """
    rows = {len(array) for array in row_arrays}
    if len(rows) != 1 or 0 in rows:
        raise ValueError(f"need arrays of one length above 0, got lengths {[len(array) for array in row_arrays]}")
    (n,) = rows
    rng = np.random.default_rng(seed)
    dtype = np.int32 if n < 2**31 else np.int64  # drawing and gathering by int32 takes half the time
    drawn = (rng.integers(0, n, size=n, dtype=dtype) for _ in range(replicates))
    return np.asarray([statistic(*(np.take(array, rows, axis=0) for array in row_arrays)) for rows in drawn])


def bootstrap_counts_ci(
    statistic: Callable[[np.ndarray], Any],
    counts: Int[np.ndarray, "*kinds"],
    *,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[Any, Any]:
    """The interval of a statistic that depends only on how many rows there are of each kind.

    Drawing rows again is then one multinomial draw over the kinds, whatever the number of rows. A confusion matrix is
    such a table of counts, so accuracy and F1 of a million rows cost no more than those of a hundred.

    Args:
        statistic: takes counts of the same shape, returns a number or an array.
        counts: rows of each kind, any shape.
        replicates: how many times the rows are drawn.
        seed: the same seed gives the same interval.
        level: the share of replicates inside the interval.

    Returns:
        low, high, of the statistic's shape.

    Raises:
        ValueError: if there are no rows.
    """
    n = int(counts.sum())
    if n == 0:
        raise ValueError("need at least one row")
    drawn = np.random.default_rng(seed).multinomial(n, counts.ravel() / n, size=replicates)
    values = np.asarray([statistic(draw.reshape(counts.shape)) for draw in drawn])
    return percentile_interval(values, level)


def percentile_interval(values: Shaped[np.ndarray, "replicates ..."], level: float = 0.95) -> tuple[Any, Any]:
    """The middle `level` of the replicates, along the first axis; NaN where all of them are NaN."""
    tail = (1 - level) / 2
    values = np.asarray(values, dtype=float)
    absent = np.isnan(values).all(axis=0)
    low, high = np.nanquantile(np.where(absent, 0.0, values), (tail, 1 - tail), axis=0)
    return np.where(absent, np.nan, low)[()], np.where(absent, np.nan, high)[()]
