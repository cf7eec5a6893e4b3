"""Windows over price histories: what a model sees, and the returns that follow."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped


def cumulative_log_returns(
    close: Float[np.ndarray, " time"], ends: Int[np.ndarray, " windows"], horizon: int
) -> Float[np.ndarray, "windows horizon"]:
    """log(close[t + h] / close[t]) for each day t in `ends` and h = 1 ... horizon; every t + horizon must exist."""
    later = close[ends[:, None] + np.arange(1, horizon + 1)]
    return np.log(later / close[ends, None])


@dataclass(frozen=True)
class Windows:
    """Windows of many tickers, kept as one series and the rows where they end.

    `inputs` materialises them; a model on a device can keep `series` there and gather rows
    `ends[i] - lookback + 1 ... ends[i]` itself, at a fraction of the memory (lookback times less).

    Attributes:
        series: scaled features, the histories of all tickers one after another; a window never crosses two.
        ends: the row of each window's day t.
        lookback: rows per window.
        targets: cumulative log returns since day t.
        base_prices: the close of day t, dollars, adjusted for splits and dividends.
        scales: mean absolute one-day price change over the year up to t, dollars: the denominator of MASE.
        dates: day t.
        target_dates: the days forecast.
        ticker_ids: index into `tickers`.
        tickers: names.
    """

    series: Float32[np.ndarray, "rows features"]
    ends: Int[np.ndarray, " windows"]
    lookback: int
    targets: Float[np.ndarray, "windows horizon"]
    base_prices: Float[np.ndarray, " windows"]
    scales: Float[np.ndarray, " windows"]
    dates: Shaped[np.ndarray, " windows"]
    target_dates: Shaped[np.ndarray, "windows horizon"]
    ticker_ids: Int[np.ndarray, " windows"]
    tickers: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def horizon(self) -> int:
        return self.targets.shape[1]

    @cached_property
    def inputs(self) -> Float32[np.ndarray, "windows lookback features"]:
        """The windows themselves, oldest day first."""
        return self.series[self.ends[:, None] + np.arange(1 - self.lookback, 1)]

    @property
    def target_prices(self) -> Float[np.ndarray, "windows horizon"]:
        return self.base_prices[:, None] * np.exp(self.targets)


def trainable_ends(windows: Windows) -> Int[np.ndarray, " some"]:
    """Where those windows end of which every day has a known target; in the first of each company, some have none.

    For networks that learn a forecast from each day of a window. No target is lost: the days of the windows left out
    are also days of the others.
    """
    before = windows.lookback - 1
    ids = windows.ticker_ids  # companies' windows follow one another, one for each day
    return windows.ends[before:][ids[before:] == ids[: len(ids) - before]]
