"""Daily prices from CSV files: Yahoo's columns, Kaggle's folder of tickers, or one file with a name column.

What is found there is cleaned by fixed rules. Each repair is counted and reported; anything that could not be
repaired without guessing is refused with the file and the line.

Repaired:
    - days out of order are sorted; of a day given twice the later line counts;
    - a day without a close (Yahoo writes `null`) is left out;
    - an open, high or low that is missing or 0 (Yahoo has no opens for the early years) is filled without looking
      ahead: the open becomes the close of the day before, held within the day's range; high and low become the
      extremes of open and close;
    - a high or low that does not enclose open and close is widened to do so;
    - a missing volume becomes 0, which Yahoo itself writes for it;
    - where nothing adjusts for splits, an overnight jump by a whole factor on an otherwise calm day is taken for a
      split, and the prices before it are divided by the factor.

Refused: a missing column, an unreadable date or number, a negative price or volume, a close of 0, infinity.
Half days are trading days like any other. Weekends and holidays are simply absent.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dl_shared.data.cells import read_cells
from dl_shared.errors import InputError, few
from dl_shared.files import fingerprint

COLUMNS = ("open", "high", "low", "close", "adj_close", "volume")
REQUIRED = ("date", "open", "high", "low", "close", "volume")
ALIASES = {"adjclose": "adj_close", "adjustedclose": "adj_close", "name": "ticker", "symbol": "ticker"}
SHOWN = 12  # names in a message
MISSING = frozenset({"", "null", "nan", "na", "n/a", "none", "-"})

SPLIT_FACTORS = np.array([2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100], dtype=float)
SPLIT_TOLERANCE = 0.05  # in log price: how far the night may move the price besides the split
CALM_RANGE = 0.10  # high over low, in log price: real crashes of one half have far wider days


@dataclass(frozen=True)
class Prices:
    """Clean daily prices.

    Attributes:
        frames: a DataFrame per ticker, indexed by ascending unique dates, with the float64 columns `COLUMNS`. Prices
            in dollars: `close` as traded, `adj_close` with splits and dividends taken out; volume in shares.
        source: where they came from, for people.
        repairs: what was repaired, a line for each kind and ticker.
    """

    frames: Mapping[str, pd.DataFrame]
    source: str
    repairs: tuple[str, ...] = ()

    @property
    def tickers(self) -> tuple[str, ...]:
        return tuple(self.frames)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over tickers, dates and values."""
        parts = [part for frame in self.frames.values() for part in (_days(frame), frame.to_numpy(np.float64))]
        return fingerprint(list(self.frames), *parts)

    def between(self, start: str | None, end: str | None) -> "Prices":
        """The days from `start` on and before `end`, where they are given.

        Raises:
            InputError: if a date cannot be read, or a company has no day left.
        """
        if start is None and end is None:
            return self
        try:
            first, last = (None if date is None else pd.Timestamp(date) for date in (start, end))
        except ValueError as error:
            raise InputError(f"{error}; give dates like 2012-12-31") from None
        days = slice(first, None if last is None else last - pd.Timedelta(days=1))
        frames = {ticker: frame.loc[days] for ticker, frame in self.frames.items()}
        if empty := [ticker for ticker, frame in frames.items() if frame.empty]:
            raise InputError(f"{', '.join(empty)} has no day from {start or 'the first'} to before {end or 'the end'}")
        said = " ".join(f"{word} {date}" for word, date in (("from", start), ("until", end)) if date)
        return replace(self, frames=frames, source=f"{self.source}, {said}")


def load_prices(path: Path | str, *, tickers: Collection[str] = ()) -> Prices:
    """Read one CSV file or a folder of them.

    Args:
        path: a file (`ABC.csv` or `ABC.csv.gz` is of ABC, unless it has a column `Name`, `Ticker` or `Symbol`), or a
            folder with a file per ticker, looked for in its subfolders when it holds none itself.
        tickers: the ones to read; all when empty.

    Raises:
        InputError: if nothing is there, a ticker is not, or a file breaks a rule of this module.
    """
    path = Path(path)
    if path.is_dir():
        tables = _read_folder(path, tickers)
    elif path.is_file():
        tables = _read_file(path)
        _require(tickers, tables, path)
    else:
        raise InputError(f"{path} does not exist; give a CSV file of prices or a folder of them, or `sample` or `hub`")

    frames, repairs = {}, []
    for ticker in sorted(tickers or tables):
        table, file = tables[ticker]
        frames[ticker], notes = clean(table, where=str(file))
        repairs += [f"{ticker}: {note}" for note in notes]
    return Prices(frames, source=f"{len(frames)} ticker{'s' * (len(frames) > 1)} from {path}", repairs=tuple(repairs))


def adjust(frame: pd.DataFrame) -> pd.DataFrame:
    """Open, high, low and close scaled by adj_close / close, and the volume: no jumps at splits and dividends.

    The factor at day t knows of later dividends, but it is common to a day's prices and changes only where a dividend
    was paid, so ratios between days up to t stay free of the future. Levels do not: use returns as inputs.
    """
    factor = frame["adj_close"] / frame["close"]
    adjusted = frame[["open", "high", "low", "close"]].mul(factor, axis=0)
    return adjusted.assign(volume=frame["volume"])


def _read_folder(folder: Path, tickers: Collection[str]) -> dict[str, tuple[pd.DataFrame, Path]]:
    files = sorted(folder.glob("*.csv")) or sorted(folder.rglob("*.csv"))
    if not files:
        raise InputError(f"{folder} holds no .csv file; give a folder with one CSV per ticker")
    if len(files) == 1:
        tables = _read_file(files[0])
        _require(tickers, tables, folder)
        return tables
    by_ticker: dict[str, Path] = {}
    for file in files:
        if file.stem in by_ticker:
            raise InputError(f"{file} is a second file for {file.stem}; remove one, or give the folder of the other")
        by_ticker[file.stem] = file
    _require(tickers, by_ticker, folder)
    tables = {}
    for ticker in tickers or by_ticker:
        table = _read_csv(by_ticker[ticker])
        if "ticker" in table and table["ticker"].nunique() > 1:
            raise InputError(f"{by_ticker[ticker]} holds several tickers; give that file itself instead of its folder")
        tables[ticker] = table, by_ticker[ticker]
    return tables


def _read_file(path: Path) -> dict[str, tuple[pd.DataFrame, Path]]:
    table = _read_csv(path)
    if "ticker" not in table:
        return {path.stem.removesuffix(".csv"): (table, path)}  # of `ABC.csv.gz` the stem is `ABC.csv`
    return {str(ticker): (part, path) for ticker, part in table.groupby("ticker", sort=True)}


def _require(tickers: Collection[str], found: Collection[str], path: Path) -> None:
    missing = sorted(set(tickers) - set(found))
    if missing:
        raise InputError(f"{path} has no prices for {', '.join(missing)}; it has {few(sorted(found), SHOWN)}")


def _read_csv(path: Path) -> pd.DataFrame:
    """All cells as text, columns renamed, the index counting lines of the file; blank lines left out."""
    needed = "it needs the columns Date,Open,High,Low,Close,Adj Close,Volume"
    # index_col=False: else pandas takes the first column for an index when lines end in a comma
    table = read_cells(path, needed=needed, skip_blank_lines=False, index_col=False)
    simple = [name.strip().lower().replace(" ", "").replace("_", "").replace(".", "") for name in table.columns]
    table.columns = pd.Index([ALIASES.get(name, name) for name in simple])
    missing = [name for name in REQUIRED if name not in table]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}; it needs date, open, high, low, close, volume"
            f" (and may have adj close), and has {few(simple, SHOWN)}"
        )
    table = table.loc[:, ~table.columns.duplicated()]
    table.index += 2  # line 1 is the header
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise InputError(f"{path} has a header and no days")
    return table


def clean(table: pd.DataFrame, *, where: str) -> tuple[pd.DataFrame, list[str]]:
    """Apply the rules of this module to one ticker's table of text or numbers, indexed by line.

    Returns:
        the clean frame, and what was repaired.

    Raises:
        InputError: naming `where` and the line.
    """
    notes: list[str] = []
    names = [name for name in COLUMNS if name in table]
    frame = pd.DataFrame({name: parse_numbers(table[name], name, where) for name in names})
    frame.insert(0, "date", parse_dates(table["date"], where))
    _refuse_impossible(frame, where)

    frame = _drop(frame, frame["close"].isna(), "without a close left out", notes)
    if frame.empty:
        raise InputError(f"{where} has no day with a close")
    if not frame["date"].is_monotonic_increasing:
        notes.append("days were out of order, sorted")
        frame = frame.sort_values("date", kind="stable")  # stable: of equal days, the later line stays last
    frame = _drop(frame, frame["date"].duplicated(keep="last"), "given twice, the later line kept", notes)
    frame = frame.set_index("date")

    _fill_range(frame, notes)
    if frame["volume"].isna().any():
        notes.append(f"{frame['volume'].isna().sum()} missing volumes set to 0")
        frame["volume"] = frame["volume"].fillna(0.0)
    if "adj_close" not in frame:
        notes.append("no adjusted close, so dividends stay in the prices")
        frame["adj_close"] = frame["close"]
    elif frame["adj_close"].isna().any():
        notes.append(f"{frame['adj_close'].isna().sum()} missing adjusted closes filled by the day before's factor")
        factor = (frame["adj_close"] / frame["close"]).ffill().bfill().fillna(1.0)
        frame["adj_close"] = frame["close"] * factor
    return _undo_splits(frame[list(COLUMNS)], notes), notes


def parse_dates(texts: pd.Series, where: str) -> pd.Series:
    """Dates of one file, indexed by line: ISO (a time after it is ignored), or day, month and year in either order.

    The order is decided once per file: by the first field above 12, else by the reading under which the days follow
    each other most closely.

    Raises:
        InputError: on a date that cannot be read, or an order that cannot be decided.
    """
    if pd.api.types.is_datetime64_any_dtype(texts):
        return texts
    texts = texts.str.strip()
    if texts.iloc[0][:4].isdigit():
        days = texts.str.replace("/", "-").str.slice(0, 10)
        return _to_datetime(days, texts, "%Y-%m-%d", where)
    days = texts.str.replace("[/.]", "-", regex=True)
    fields = days.str.extract(r"^(\d{1,2})-(\d{1,2})-\d{4}$").astype(float)
    if fields.isna().any(axis=None):
        line = fields.index[fields.isna().any(axis=1)][0]
        raise InputError(f"{where}, line {line}: {texts[line]!r} is not a date; write it as 2012-12-31")
    day_first, month_first = (fields[0] > 12).any(), (fields[1] > 12).any()
    if day_first or month_first:  # when both, the reading of the first field fails below, with its line
        return _to_datetime(days, texts, "%d-%m-%Y" if day_first else "%m-%d-%Y", where)
    readings = [_to_datetime(days, texts, order, where) for order in ("%d-%m-%Y", "%m-%d-%Y")]
    steps = [reading.diff().abs().sum() for reading in readings]
    if steps[0] == steps[1] and not readings[0].equals(readings[1]):
        raise InputError(f"{where}: day and month cannot be told apart; write the dates as 2012-12-31")
    return readings[int(np.argmin(steps))]


def _to_datetime(days: pd.Series, texts: pd.Series, order: str, where: str) -> pd.Series:
    parsed = pd.to_datetime(days, format=order, errors="coerce").astype("datetime64[s]")
    if parsed.isna().any():
        line = parsed.index[parsed.isna()][0]
        raise InputError(f"{where}, line {line}: {texts[line]!r} is not a date like the others; write it as 2012-12-31")
    return parsed


def parse_numbers(cells: pd.Series, name: str, where: str) -> pd.Series:
    """Numbers of one column, indexed by line; NaN for empty cells and the usual words for them.

    Raises:
        InputError: on a cell that holds something else, infinity included.
    """
    if pd.api.types.is_numeric_dtype(cells):
        return cells.astype(np.float64)
    present = ~cells.str.strip().str.lower().isin(MISSING)
    numbers = pd.to_numeric(cells.where(present), errors="coerce").astype(np.float64)
    unreadable = present & ~np.isfinite(numbers)
    if unreadable.any():
        line = cells.index[unreadable][0]
        raise InputError(f"{where}, line {line}: {name} {cells[line]!r} is not a number; correct or remove the line")
    return numbers


def _refuse_impossible(frame: pd.DataFrame, where: str) -> None:
    for name in frame.columns.drop("date"):
        smallest_allowed = np.nextafter(0, 1) if name in ("close", "adj_close") else 0.0
        bad = frame[name] < smallest_allowed
        if bad.any():
            line = frame.index[bad][0]
            value = f"{name} is {frame[name][line]:g}"
            raise InputError(f"{where}, line {line}: {value}, which no share can have; correct or remove the line")


def _drop(frame: pd.DataFrame, bad: pd.Series, what: str, notes: list[str]) -> pd.DataFrame:
    if bad.any():
        notes.append(f"{bad.sum()} days {what}")
    return frame[~bad]


def _fill_range(frame: pd.DataFrame, notes: list[str]) -> None:
    """Fill opens, highs and lows that are missing or 0, and make the range hold open and close; in place."""
    for name in ("open", "high", "low"):
        absent = frame[name].isna() | (frame[name] == 0)
        if absent.any():
            notes.append(f"{absent.sum()} missing or zero values of {name} filled")
            frame.loc[absent, name] = np.nan
    yesterday = frame["close"].shift().fillna(frame["close"])
    frame["open"] = frame["open"].fillna(yesterday.clip(frame["low"].fillna(0.0), frame["high"].fillna(np.inf)))
    highest, lowest = frame[["open", "close"]].max(axis=1), frame[["open", "close"]].min(axis=1)
    # Yahoo's own rounding leaves a close above the high by parts in a million: widened, but not worth a line
    beyond = (frame["high"] < highest * 0.999) | (frame["low"] > lowest * 1.001)
    if beyond.any():
        notes.append(f"{beyond.sum()} days whose range did not hold open and close, widened")
    frame["high"] = np.fmax(frame["high"], highest)
    frame["low"] = np.fmin(frame["low"], lowest)


def _undo_splits(frame: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Divide the prices before each unadjusted split, and multiply the volumes."""
    previous = frame["adj_close"].shift().to_numpy()
    night = np.log(previous / (frame["open"] * frame["adj_close"] / frame["close"]).to_numpy())
    day = np.log(previous / frame["adj_close"].to_numpy())
    spread = np.log(frame["high"] / frame["low"]).to_numpy()
    logs = np.concatenate([np.log(SPLIT_FACTORS), -np.log(SPLIT_FACTORS)])
    nearest = logs[np.abs(day[:, None] - logs).argmin(axis=1)]
    near = (np.abs(day - nearest) < SPLIT_TOLERANCE) & (np.abs(night - nearest) < SPLIT_TOLERANCE)
    split = np.flatnonzero(near & (spread < CALM_RANGE))
    if not split.size:
        return frame
    steps = np.zeros(len(frame))
    steps[split] = nearest[split]
    later = np.exp(steps[::-1].cumsum()[::-1] - steps)  # product of the factors of all splits after each day
    days = ", ".join(str(frame.index[i].date()) for i in split)
    notes.append(f"{split.size} unadjusted splits undone ({days})")
    prices = frame.drop(columns="volume").div(later, axis=0)
    return prices.assign(volume=frame["volume"] * later)


def _days(frame: pd.DataFrame) -> np.ndarray:
    return frame.index.to_numpy().astype("datetime64[D]").astype(np.int64)
