"""The look-ahead proof: change the future, and nothing computed from the past may move."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd


def change_future(frame: pd.DataFrame, last_known: int, *, seed: int = 0) -> pd.DataFrame:
    """The same history up to row `last_known`, and another one, wildly different, after it.

    Prices and volumes keep their order (low <= open, close <= high), so that the new future is one that might be.
    """
    rng = np.random.default_rng(seed)
    changed = frame.copy()
    later = slice(last_known + 1, None)
    days = len(frame) - last_known - 1
    factors = np.exp(np.cumsum(rng.normal(0.0, 0.1, days)) + rng.normal(0.0, 1.0))
    wider = {"high": rng.uniform(1.0, 1.2, days), "low": rng.uniform(0.8, 1.0, days)}
    for name in frame.columns:
        by = rng.uniform(0.1, 10.0, days) if name == "volume" else factors * wider.get(name, 1.0)
        changed.iloc[later, changed.columns.get_loc(name)] = frame[name].to_numpy()[later] * by
    return changed


def assert_causal(
    compute: Callable[[pd.DataFrame], Any], frame: pd.DataFrame, last_known: int, *, seed: int = 0
) -> None:
    """Check that `compute(frame)[i]`, for each row i <= `last_known`, does not depend on later rows.

    Args:
        compute: maps a price frame `(days, ...)` to an array, Series or DataFrame with one row for each day.
        frame: prices, one row per day, oldest first.
        last_known: the row of day t.

    Raises:
        AssertionError: if the past moved, naming the first row that did; or if nothing after t moved either, since
            then the check would prove nothing.
    """
    before = np.asarray(compute(frame), dtype=float)
    after = np.asarray(compute(change_future(frame, last_known, seed=seed)), dtype=float)
    if before.shape != after.shape or len(before) != len(frame):
        raise AssertionError(f"expected a row for each of {len(frame)} days, got {before.shape} and {after.shape}")
    same = np.array([np.array_equal(old, new, equal_nan=True) for old, new in zip(before, after, strict=True)])
    if not same[: last_known + 1].all():
        raise AssertionError(f"row {int(np.argmin(same))} moved when days after row {last_known} changed")
    if last_known + 1 < len(frame) and same.all():
        raise AssertionError("nothing moved at all: the future that was changed is not used, so this proves nothing")
