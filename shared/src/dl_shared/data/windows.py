"""Windows over price histories: what a model sees, and the returns that follow."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from dl_shared.errors import InputError


def make_windows(
    series: Float[np.ndarray, "time features"], lookback: int, horizon: int
) -> tuple[Float[np.ndarray, "windows lookback features"], Float[np.ndarray, "windows horizon"]]:
    """Cut a price history into overlapping windows.

    Args:
        series: one row per trading day, oldest first; column 0 is the close, in dollars.
        lookback: days the model sees, up to and including day t.
        horizon: days it predicts, from t + 1.

    Returns:
        inputs `(windows, lookback, features)`, a read-only view of the series; targets `(windows, horizon)`,
        cumulative log returns since day t: log(close[t + h] / close[t]) for h = 1 ... horizon.

    Raises:
        InputError: if the history is shorter than one window.
    """
    first, count = lookback - 1, len(series) - lookback - horizon + 1
    if count < 1:
        raise InputError(
            f"{len(series)} days are fewer than one window of {lookback} + {horizon};"
            " give a longer history, or a smaller lookback or horizon"
        )
    views = np.lib.stride_tricks.sliding_window_view(series, lookback, axis=0)
    inputs = np.moveaxis(views[:count], -1, 1)
    ends = np.arange(first, first + count)
    return inputs, cumulative_log_returns(series[:, 0], ends, horizon)


def cumulative_log_returns(
    close: Float[np.ndarray, " time"], ends: Int[np.ndarray, " windows"], horizon: int
) -> Float[np.ndarray, "windows horizon"]:
    """log(close[t + h] / close[t]) for each day t in `ends` and h = 1 ... horizon; every t + horizon must exist."""
    later = close[ends[:, None] + np.arange(1, horizon + 1)]
    return np.log(later / close[ends, None])


def scale_windows(
    inputs: Float[np.ndarray, "windows lookback features"], *, epsilon: float = 1e-8
) -> Float[np.ndarray, "windows lookback features"]:
    """Standardise every window by its own mean and deviation over time, so that nothing outside it is used."""
    mean = inputs.mean(axis=1, keepdims=True)
    deviation = inputs.std(axis=1, keepdims=True)
    return (inputs - mean) / np.maximum(deviation, epsilon)


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
