"""Made-up headlines about the companies of `sample.prices`, with an effect on prices that is known.

About one trading day in five has a headline about a company. Half of them say nothing; the others are good or bad
news, w[t] = +1 or -1 (0 on all other days), and what they are worth reaches the price little by little:

    g[t] = DECAY * g[t-1] + CALM * w[t]
    log(open[t+1] / close[t]) = ... + news * g[t]      beside all that `sample.prices` says of that night

Good and bad are as likely as each other whatever was before, so the conditional median of the return over h days gains
news * g[t] * (1 - DECAY^h) / (1 - DECAY), exactly, and the best possible forecast stays known. With `news=0` headlines
are there and mean nothing. They come at any hour: those after the close, and those of weekends, belong to the next
trading day.
"""

import numpy as np
import pandas as pd
from jaxtyping import Int

CHANCE = 0.2  # of a headline on a trading day
NEWS = 0.5  # of what a calm day moves, in the first night after good news

GOOD = (
    "{} beats estimates by a wide margin",
    "Analysts upgrade {} after strong quarter",
    "{} wins a great contract, and raises its outlook",
    "{} surges on excellent results",
)
BAD = (
    "{} misses estimates by a wide margin",
    "Analysts downgrade {} after weak quarter",
    "{} loses its contract, and cuts its outlook",
    "{} plunges on terrible results",
)
NEITHER = (
    "{} to present at a conference in May",
    "{} moves its headquarters",
    "Shares of {}: what to know",
    "A look at {} and its industry",
)


def make_tones(entropy: list[int], days: int) -> Int[np.ndarray, " days"]:
    """w[t] of one company; 2 for a headline that says nothing.

    Args:
        entropy: of the company; more days begin with the fewer.
        days: of its history.
    """
    present, kind = (np.random.default_rng([*entropy, 6, i]) for i in range(2))
    tone = kind.choice([-1, 1, 2, 2], size=days)
    return np.where(present.random(days) < CHANCE, tone, 0)


def make_headlines(*, seed: int, tickers: int = 16, days: int = 3000) -> pd.DataFrame:
    """The headlines about the companies of `make_prices` with the same seed: `title`, `date` in UTC, `ticker`."""
    dates = pd.bdate_range("2010-01-04", periods=days)
    rows = []
    for number in range(tickers):
        ticker, entropy = f"S{number:02}", [seed, 1, number]
        tones = make_tones(entropy, days)
        rng = np.random.default_rng([*entropy, 7])
        hours, words = rng.uniform(0.1, 23.9, days), rng.integers(0, len(GOOD), days)
        for day in np.flatnonzero(tones):
            title = {1: GOOD, -1: BAD, 2: NEITHER}[int(tones[day])][words[day]].format(ticker)
            rows.append((title, _moment(dates, int(day), float(hours[day])), ticker))
    return pd.DataFrame(rows, columns=["title", "date", "ticker"])


def _moment(dates: pd.DatetimeIndex, day: int, hour: float) -> str:
    """A time at which news become known by the close of that day and not of the one before."""
    date = dates[day] if hour < 13 or day == 0 else dates[day - 1]  # 13: there are days that close early
    hour = max(hour, 16.0) if date < dates[day] else min(hour, 12.9)
    # on a weekend, now and then
    if date < dates[day] and dates[day].dayofweek == 0 and hour > 20:
        date += pd.Timedelta(days=1)
    moment = (date + pd.Timedelta(minutes=int(60 * hour))).tz_localize("America/New_York")
    return moment.tz_convert("UTC").isoformat()
