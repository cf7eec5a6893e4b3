"""Technical indicators and the features made of them; every value at day t uses days up to and including t.

pandas' rolling and exponentially weighted windows are exact and causal; what is added is what the sources define.
Indicators are in the units of their sources (dollars, 0 ... 100); `FEATURES` are their scale-free forms, fit for a
model that sees many tickers over decades. The first days of a history, where a window is not full yet, are NaN.
"""

from collections.abc import Callable, Collection

import numpy as np
import pandas as pd

from dl_shared.errors import InputError

TRADING_DAYS = 252  # per year
MONTH = 21  # trading days
SMALLEST_VOLATILITY = 1e-3


def sma(values: pd.Series, days: int) -> pd.Series:
    """Simple moving average over the last `days` days."""
    return values.rolling(days).mean()


def ema(values: pd.Series, days: int) -> pd.Series:
    """Exponential moving average, y[t] = y[t-1] + 2 / (days + 1) * (x[t] - y[t-1]), started at the first value."""
    return values.ewm(span=days, adjust=False, min_periods=days).mean()


def rsi(close: pd.Series, days: int = 14) -> pd.Series:
    """Relative strength index, 0 ... 100 (Wilder 1978, "New Concepts in Technical Trading Systems", section VI).

    100 * up / (up + down), where `up` and `down` are averages of daily gains and losses: plain over the first `days`
    changes, from then on y[t] = y[t-1] + (x[t] - y[t-1]) / days. 50 when nothing moved.
    """
    change = close.diff()
    up, down = (_wilder(part, days) for part in (change.clip(lower=0), -change.clip(upper=0)))
    return (100 * up / (up + down)).where(up + down > 0, 50.0).where(up.notna())


def _wilder(values: pd.Series, days: int) -> pd.Series:
    """Wilder's smoothing: the mean of the first `days` values, then an exponential average with weight 1 / days."""
    first = 1 + days  # values[0] is the missing first change
    if len(values) < first:
        return pd.Series(np.nan, values.index)
    started = values.astype(float).copy()
    started.iloc[days] = values.iloc[1:first].mean()
    started.iloc[:days] = np.nan
    return started.ewm(alpha=1 / days, adjust=False).mean()


def macd(close: pd.Series, fast: int = 12, slow: int = 26, signal: int = 9) -> pd.DataFrame:
    """Moving average convergence/divergence (Appel 2005, "Technical Analysis", chapter 8).

    Columns: `macd` = ema(fast) - ema(slow); `signal` = its own ema; `histogram` = macd - signal. In dollars.
    """
    line = ema(close, fast) - ema(close, slow)
    smooth = ema(line.dropna(), signal).reindex(line.index)
    return pd.DataFrame({"macd": line, "signal": smooth, "histogram": line - smooth})


def bollinger(close: pd.Series, days: int = 20, width: float = 2.0) -> pd.DataFrame:
    """Bollinger bands (Bollinger 2001, "Bollinger on Bollinger Bands", chapter 7).

    Columns: `middle`, the simple average; `lower` and `upper`, `width` population deviations around it; and
    `percent_b` = (close - lower) / (upper - lower), 0.5 when the bands touch.
    """
    middle = sma(close, days)
    deviation = close.rolling(days).std(ddof=0)
    lower, upper = middle - width * deviation, middle + width * deviation
    flat = upper - lower <= 1e-9 * middle  # an exact 0 drowns in the rolling sums' rounding
    percent_b = ((close - lower) / (upper - lower)).mask(flat, 0.5)
    return pd.DataFrame({"lower": lower, "middle": middle, "upper": upper, "percent_b": percent_b})


def log_returns(close: pd.Series, days: int = 1) -> pd.Series:
    """log(close[t] / close[t - days])."""
    return np.log(close / close.shift(days))


def realized_volatility(close: pd.Series, days: int = 20) -> pd.Series:
    """Root of the mean squared daily log return over `days` days, per year (times the root of 252)."""
    squared = log_returns(close) ** 2
    return np.sqrt(squared.rolling(days).mean().clip(lower=0) * TRADING_DAYS)


def recent_volatility(close: pd.Series) -> pd.Series:
    """Root of the exponentially weighted mean of squared daily log returns, of one day; a month has half of the weight.

    At least a thousandth, so that a share that has not been traded for months still has one.
    """
    squared = log_returns(close).fillna(0.0) ** 2
    return np.sqrt(squared.ewm(halflife=MONTH).mean()).clip(lower=SMALLEST_VOLATILITY)


def abnormal_volume(volume: pd.Series, days: int = 60) -> pd.Series:
    """Log volume less its mean over the last `days` days: how busy a day was for this share at this time."""
    busy = log_volume(volume)
    return busy - sma(busy, days)


def log_volume(volume: pd.Series) -> pd.Series:
    """Log of the shares traded; a volume of 0, which stands for an unknown one, repeats the day before."""
    return np.log(volume.where(volume > 0)).ffill().fillna(0.0)


def standardised(values: pd.Series, close: pd.Series) -> pd.Series:
    """Log returns in units of the volatility known the day before, so that a wild day is not measured by itself."""
    return values / recent_volatility(close).shift()


def around_circle(position: pd.Index, length: int, index: pd.Index) -> tuple[pd.Series, pd.Series]:
    """Sine and cosine, so that the last place is as near to the first as any two neighbours."""
    angle = 2 * np.pi * position.to_numpy(float) / length
    return pd.Series(np.sin(angle), index), pd.Series(np.cos(angle), index)


def weekday(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Monday to Friday."""
    return around_circle(pd.DatetimeIndex(frame.index).dayofweek, 5, frame.index)


def day_of_year(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """January to December."""
    return around_circle(pd.DatetimeIndex(frame.index).dayofyear, 365, frame.index)


CALENDAR: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "week_sine": lambda f: weekday(f)[0],
    "week_cosine": lambda f: weekday(f)[1],
    "year_sine": lambda f: day_of_year(f)[0],
    "year_cosine": lambda f: day_of_year(f)[1],
}
"""Known for all days to come; the prices have no part in them."""
FEATURES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "return": lambda f: log_returns(f["close"]),
    "return_5": lambda f: log_returns(f["close"], 5),
    "return_20": lambda f: log_returns(f["close"], 20),
    "overnight": lambda f: np.log(f["open"] / f["close"].shift()),
    "range": lambda f: np.log(f["high"] / f["low"]),
    "standard_return": lambda f: standardised(log_returns(f["close"]), f["close"]),
    "standard_overnight": lambda f: standardised(np.log(f["open"] / f["close"].shift()), f["close"]),
    "standard_range": lambda f: standardised(np.log(f["high"] / f["low"]), f["close"]),
    "sma_20": lambda f: np.log(f["close"] / sma(f["close"], 20)),
    "sma_50": lambda f: np.log(f["close"] / sma(f["close"], 50)),
    "ema_12": lambda f: np.log(f["close"] / ema(f["close"], 12)),
    "rsi": lambda f: rsi(f["close"]) / 50 - 1,
    "macd": lambda f: macd(f["close"])["histogram"] / f["close"],
    "bollinger": lambda f: bollinger(f["close"])["percent_b"] - 0.5,
    "volatility": lambda f: np.log(realized_volatility(f["close"]) + 1e-3),
    "volume": lambda f: abnormal_volume(f["volume"]),
    "volume_change": lambda f: log_volume(f["volume"]).diff(),
    **CALENDAR,
}
DEFAULT_FEATURES = ("return", "volume", "overnight", "range", "volatility", "sma_20", "rsi", "macd")


def compute_features(frame: pd.DataFrame, names: Collection[str] = DEFAULT_FEATURES) -> pd.DataFrame:
    """Features by name, a column each, over an adjusted frame (`prices.adjust`): open, high, low, close, volume.

    Raises:
        InputError: on an unknown name.
    """
    unknown = [name for name in names if name not in FEATURES]
    if unknown or not names:
        raise InputError(f"unknown features {', '.join(unknown) or '(none given)'}; choose from {', '.join(FEATURES)}")
    return pd.DataFrame({name: FEATURES[name](frame) for name in names}, index=frame.index)
