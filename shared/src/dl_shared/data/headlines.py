"""Dated headlines about companies, scored, and joined to their prices so that news can only move later days.

A feature of day t is known at the close of day t. So a headline belongs to the first trading day at whose close it was
known: to its own day if it came before the close in New York, else to the next; one without a time of day counts as
after the close, and one of a weekend or a holiday belongs to the trading day after.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from dl_shared.baselines.cache import cached
from dl_shared.data.cells import read_cells
from dl_shared.errors import InputError, few
from dl_shared.files import fingerprint

NEWS_COLUMNS = ("news", "tone")
EXCHANGE = "America/New_York"
CLOSE, EARLY_CLOSE = pd.Timedelta(hours=16), pd.Timedelta(hours=13)
ALIASES = {
    "title": ("title", "headline", "headlines", "text"),
    "date": ("date", "datetime", "time", "timestamp", "published", "publishedat"),
    "ticker": ("stock", "ticker", "symbol", "tickers"),
}
SHOWN = 3  # rows or tickers named in a note

Scorer = Callable[[Sequence[str]], Float[np.ndarray, " titles"]]
"""Gives each headline a score from -1, bad news, to 1, good news."""


@dataclass(frozen=True)
class Headlines:
    """Headlines that can be used.

    Attributes:
        table: a row for each: `title`, `ticker`, and `known`, the calendar day at whose close it is known.
        source: where they came from, for people.
        repairs: what was left out, a line for each reason.
    """

    table: pd.DataFrame
    source: str
    repairs: tuple[str, ...] = ()

    def scored(self, scorer: Scorer, *, name: str) -> "ScoredHeadlines":
        """The same headlines with their scores, from the cache where they were scored before.

        Args:
            scorer: of titles.
            name: that tells it, and its version, from all others.
        """
        titles = self.table["title"].tolist()
        key = fingerprint([name, *titles])
        found = cached("sentiment", key, lambda: {"scores": np.asarray(scorer(titles), float)})
        return ScoredHeadlines(self.table.assign(score=found["scores"]), self.source, self.repairs)


@dataclass(frozen=True)
class ScoredHeadlines:
    """Headlines with a column `score` from -1 to 1, as features of trading days; see `Headlines`."""

    table: pd.DataFrame
    source: str
    repairs: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 over days, companies and scores."""
        days = self.table["known"].to_numpy().astype("datetime64[D]").astype(np.int64)
        return fingerprint(days, self.table["ticker"].tolist(), self.table["score"].to_numpy())

    def features(self, ticker: str, dates: pd.DatetimeIndex) -> pd.DataFrame:
        """`news`, the log of one more than the headlines of each trading day, and `tone`, the mean of their scores.

        Both are 0 on a day without any. Headlines from before the first day are left out.

        Args:
            ticker: of the company.
            dates: its trading days, ascending.
        """
        own = self.table[self.table["ticker"] == ticker]
        row = np.searchsorted(dates.to_numpy(), own["known"].to_numpy())  # the first trading day not before it
        early = own["known"].to_numpy() < dates[0]
        row, score = row[~early], own["score"].to_numpy()[~early]
        inside = row < len(dates)
        count = np.bincount(row[inside], minlength=len(dates))
        total = np.bincount(row[inside], score[inside], minlength=len(dates))
        values = {"news": np.log1p(count), "tone": total / np.maximum(count, 1)}
        return pd.DataFrame({name: values[name] for name in NEWS_COLUMNS}, index=dates)

    def notes(self, frames: Mapping[str, pd.DataFrame]) -> list[str]:
        """What a person should know of these headlines beside these prices, a line each.

        Raises:
            InputError: if none is about any of the companies.
        """
        counts = self.table["ticker"].value_counts()
        told = {ticker: int(counts.get(ticker, 0)) for ticker in frames}
        if not any(told.values()):
            raise InputError(
                f"{self.source} has no headline about {few(told, SHOWN)}; it has those of {few(counts.index, SHOWN)}"
            )
        own = self.table.loc[self.table["ticker"].isin(list(told)), "known"]
        listed = ", ".join(f"{ticker} {count:,}" for ticker, count in told.items() if count)
        first, last = (np.datetime_as_string(day.to_numpy(), unit="D") for day in (own.min(), own.max()))
        notes = [*self.repairs, f"headlines from {first} to {last}: {listed}"]
        if silent := [ticker for ticker, count in told.items() if not count]:
            notes.append(f"no headlines about {few(silent, SHOWN)}: to the model, days without news")
        days = pd.DatetimeIndex(np.unique(np.concatenate([frame.index.to_numpy() for frame in frames.values()])))
        outside = float(((days < own.min()) | (days > own.max())).mean())
        if outside > 0.1:
            notes.append(f"{outside:.0%} of the trading days lie before the first headline or after the last")
        return notes


def read_headlines(path: Path | str) -> Headlines:
    """A CSV with a headline, a date and a ticker in each row; see `ALIASES` for what columns may be called.

    Dates are ISO: `2020-06-05 10:30:00-04:00`, `2020-06-05T14:30:00Z`, with no offset in New York's time, or without a
    time of day, for which midnight stands too. Rows without a headline, a date that can be read or a ticker are left
    out, and counted.

    Raises:
        InputError: if the file is missing, is no CSV, lacks a column, or has no row that can be used.
    """
    path = Path(path)
    raw = read_cells(path, needed="give a CSV with the columns title, date and stock", index_col=False)
    names = _columns(raw.columns, path)
    return clean(raw[list(names.values())].set_axis(list(names), axis="columns"), where=str(path))


def clean(raw: pd.DataFrame, *, where: str) -> Headlines:
    """Headlines from a table of text with the columns `title`, `date` and `ticker`.

    Raises:
        InputError: naming `where`, if no row can be used.
    """
    table = pd.DataFrame({name: raw[name].str.strip() for name in ("title", "ticker")})
    table["known"] = known_at_close(raw["date"])
    bad = {
        "without a date that can be read": table["known"].isna(),
        "without a headline": table["title"] == "",
        "without a ticker": table["ticker"] == "",
    }
    left, repairs = pd.Series(True, raw.index), []
    for reason, rows in bad.items():
        numbers = [str(row + 1) for row in raw.index[rows & left]]
        if numbers:
            repairs.append(f"{len(numbers):,} headlines {reason} left out (row {few(numbers, SHOWN)})")
        left &= ~rows
    if not left.any():
        reason = "; ".join(repairs) or "it has no rows"
        raise InputError(f"{where} has no headline that can be used: {reason}; dates are written 2020-06-05 10:30:00")
    return Headlines(table[left].reset_index(drop=True), where, tuple(repairs))


def known_at_close(dates: pd.Series) -> pd.Series:
    """The calendar day at whose close a headline of each date is known; NaT for what is no date.

    On three days a year New York closes at 13:00 in most years: the day after Thanksgiving, and those before
    Independence Day and Christmas. What comes later on such a day waits for the next, also in the other years.
    """
    texts = dates.str.strip()
    zoned = texts.str.contains(r"[Tt ]\d.*(?:[Zz]|[+-][\d:]+)$", regex=True)
    moments = pd.to_datetime(texts.where(zoned), errors="coerce", utc=True, format="ISO8601").dt.tz_convert(EXCHANGE)
    local = pd.to_datetime(texts.where(~zoned), errors="coerce", format="ISO8601")
    local = moments.dt.tz_localize(None).fillna(local).astype("datetime64[s]")
    # Midnight where it was written, which in New York may be another hour, stands for no time of day.
    untimed = ~texts.str.contains(r"\d\d:\d\d", regex=True) | texts.str.contains(r"[ T]00:00(?::00(?:\.0*)?)?(?:\D|$)")
    written = pd.to_datetime(texts.str.slice(0, 10), errors="coerce", format="%Y-%m-%d").astype("datetime64[s]")
    day = local.dt.normalize().where(~untimed, written)
    after_thanksgiving = (day.dt.month == 11) & (day.dt.weekday == 4) & day.dt.day.between(23, 29)
    eve = ((day.dt.month == 7) & (day.dt.day == 3)) | ((day.dt.month == 12) & (day.dt.day == 24))
    close = pd.Series(CLOSE, day.index).mask(after_thanksgiving | eve, EARLY_CLOSE)
    late = untimed | (local - day >= close)
    return day.where(local.notna()) + pd.to_timedelta(late.astype(int), unit="D").astype("timedelta64[s]")


def _columns(found: Collection[str], path: Path) -> dict[str, str]:
    """What our columns are called in the file."""
    simple = {name.strip().lower().replace(" ", "").replace("_", ""): name for name in reversed(list(found))}
    names: dict[str, str] = {}
    for wanted, aliases in ALIASES.items():
        there = [simple[alias] for alias in aliases if alias in simple]
        if not there:
            raise InputError(f"{path} has no column {' or '.join(aliases)}; it has {few(found, SHOWN)}")
        names[wanted] = there[0]
    return names
