"""Made-up prices whose best possible forecast is known.

Busy days go on, quiet days turn back: after Llorente, Michaely, Saar and Wang (2002), "Dynamic Volume-Return Relation
of Individual Stocks", what a day's move does to the following days depends on the volume that came with it. The day
brings a surprise u[t], with an abnormal log volume v[t]; the night before it brings a part of what is still to follow
from earlier days, and news m[t] that leave no trace:

    log(open[t] / close[t-1]) = signal * s[t-1] + m[t]
    log(close[t] / open[t])   = u[t]
    s[t] = decay * s[t-1] + u[t] * (lean + v[t])   what is still to follow
    u[t] = sigma[t] * e[t]                         fat tails: e is Student-t with 6 degrees of freedom
    m[t] ~ normal(0, sigma[t] / 2)
    sigma[t]                                       calm or turbulent, a Markov chain common to all tickers
    v[t] ~ normal(0, 1), seen in the volume        log volume = level + 0.4 * v[t]

Everything up to day t determines s[t]. Flip the signs of all later u and m: what they add to later returns changes
its sign and nothing else changes, while the odds stay the same. So the unknown part of the return since t is symmetric
around 0, and the conditional median (and mean) of the cumulative log return over h days is exactly

    signal * s[t] * (1 - decay^h) / (1 - decay)

The median passes through the exponential, so base price times its exponential is the forecast of least absolute
error: no model can have a lower expected MAE. With `signal=0` prices are a pure random walk and persistence is best.

The product of move and volume is what a model linear in returns and volumes cannot see; a small network can.
"""

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pandas as pd
from jaxtyping import Float

from dl_shared.data.prices import Prices
from dl_shared.sample.headlines import make_tones

DEGREES = 6.0  # of freedom of the surprises: kurtosis 6, a normal one has 3
CALM, TURBULENT = 0.004, 0.010  # daily deviation, the two volatility regimes
LEAVE_CALM, LEAVE_TURBULENT = 1 / 120, 1 / 40  # chance per day to change regime
VOLUME_SPREAD = 0.4  # deviation of log volume, one unit of v
SIGNAL = 0.35
DECAY = 0.85
LEAN = 0.2  # how much of the effect does not depend on the volume, which a linear model can see


@dataclass(frozen=True)
class Sample:
    """Prices and what determines their best forecast.

    Attributes:
        prices: a frame per ticker, as from a file.
        states: signal * s[t] per ticker and day, with what headlines add to it: what the next night is to bring.
        decay: share of the state left each day.
    """

    prices: Prices
    states: dict[str, Float[np.ndarray, " days"]]
    decay: float = DECAY

    def oracle(self, ticker: str, horizon: int) -> Float[np.ndarray, "days horizon"]:
        """The conditional median of the cumulative log returns over 1 ... horizon days, at every day."""
        steps = np.arange(1, horizon + 1)
        to_come = (1 - self.decay**steps) / (1 - self.decay)
        return self.states[ticker][:, None] * to_come


def make_prices(*, seed: int, tickers: int = 16, days: int = 3000, signal: float = SIGNAL, news: float = 0.0) -> Sample:
    """Prices for `tickers` companies over the same business days.

    Args:
        seed: fixes everything; a sample with more tickers or days starts with the smaller one.
        tickers: companies, named S00, S01, ...
        days: history of each.
        signal: strength of what is planted; 0 for a pure random walk.
        news: what headlines do to prices, see `sample.headlines`.
    """
    dates = pd.bdate_range("2010-01-04", periods=days, name="date")
    sigma = _regimes(np.random.default_rng([seed, 0]), days)
    frames, states = {}, {}
    for number in range(tickers):
        ticker = f"S{number:02}"
        frames[ticker], states[ticker] = _make_ticker([seed, 1, number], sigma, dates, signal, news)
    kinds = [f"planted signal {signal:g}"] * bool(signal) + [f"effect of headlines {news:g}"] * bool(news)
    kind = ", ".join(kinds) or "random walk"
    return Sample(Prices(frames, source=f"sample prices ({kind}, seed {seed})"), states)


def _decaying(pressed: Float[np.ndarray, " days"]) -> Float[np.ndarray, " days"]:
    return np.array(list(accumulate(pressed, lambda before, now: DECAY * before + now)))


def _regimes(rng: np.random.Generator, days: int) -> Float[np.ndarray, " days"]:
    turbulent, sigma = False, np.empty(days)
    for day, chance in enumerate(rng.random(days)):
        turbulent ^= bool(chance < (LEAVE_TURBULENT if turbulent else LEAVE_CALM))
        sigma[day] = TURBULENT if turbulent else CALM
    return sigma


def _make_ticker(
    entropy: list[int], sigma: Float[np.ndarray, " days"], dates: pd.DatetimeIndex, signal: float, news: float
) -> tuple[pd.DataFrame, Float[np.ndarray, " days"]]:
    # a generator for each quantity, so that a longer history begins with the shorter one
    constants, tails, volumes, nights, highs, lows = (np.random.default_rng([*entropy, i]) for i in range(6))
    first_price, volume_level = constants.uniform(20, 200), constants.uniform(13, 17)
    days = len(dates)
    unit_variance = np.sqrt((DEGREES - 2) / DEGREES)
    surprise = sigma * unit_variance * tails.standard_t(DEGREES, days)
    busy = volumes.normal(size=days)
    state = signal * _decaying(surprise * (LEAN + busy))
    if news:
        tones = make_tones(entropy, days)
        state += news * _decaying(CALM * np.where(tones == 2, 0, tones))
    night = 0.5 * sigma * nights.normal(size=days)
    night[1:] += state[:-1]
    log_close = np.log(first_price) + np.cumsum(night + surprise)
    opens, close = np.exp(log_close - surprise), np.exp(log_close)
    high = np.maximum(opens, close) * np.exp(0.5 * sigma * np.abs(highs.normal(size=days)))
    low = np.minimum(opens, close) * np.exp(-0.5 * sigma * np.abs(lows.normal(size=days)))
    volume = np.round(np.exp(volume_level + VOLUME_SPREAD * busy))
    columns = {"open": opens, "high": high, "low": low, "close": close, "adj_close": close, "volume": volume}
    return pd.DataFrame(columns, index=dates), state
