"""Dated series from outside the prices, such as economic indicators, joined without look-ahead."""

from pathlib import Path

import pandas as pd

from dl_shared.data.cells import read_cells
from dl_shared.data.prices import parse_dates, parse_numbers
from dl_shared.errors import InputError


def read_exogenous(path: Path | str) -> pd.DataFrame:
    """A CSV of dated series (column `Date`, then numbers), such as interest rates, indexed by ascending date.

    Gaps are filled by the value before. Of a date given twice the later line counts.

    Raises:
        InputError: if it is missing, has no `Date` or no other column, or a cell is neither empty nor a number.
    """
    path = Path(path)
    needed = "give a CSV with a Date column and columns of numbers"
    table = read_cells(path, needed=needed, skip_blank_lines=False, index_col=False)
    table.index += 2
    table = table[(table != "").any(axis=1)]
    dated = [name for name in table.columns if name.strip().lower() in ("date", "observation_date")]
    if not dated or len(table.columns) < 2 or table.empty:
        raise InputError(f"{path} needs a column Date, a column of numbers, and at least one row")
    others = table.columns.drop(dated[0])
    values = pd.DataFrame({name.strip(): parse_numbers(table[name], name, str(path)) for name in others})
    values.index = pd.DatetimeIndex(parse_dates(table[dated[0]], str(path)), name="date")
    values = values.sort_index(kind="stable")
    return values[~values.index.duplicated(keep="last")].ffill()


def require_reach(exogenous: pd.DataFrame, last_day: pd.Timestamp, *, where: str) -> None:
    """Refuse series that end long before the prices do, as their last value would stand for all later days.

    Long means more than twice their widest spacing, and more than a month.

    Args:
        last_day: of the prices.
        where: the file, for the message.
    """
    spacing = exogenous.index.to_series().diff().max()
    allowed = max(pd.Timedelta(days=31), pd.Timedelta(0) if pd.isna(spacing) else 2 * spacing)
    if last_day - exogenous.index[-1] > allowed:
        raise InputError(
            f"{where} ends on {exogenous.index[-1].date()} and the prices on {last_day.date()};"
            " give a file that reaches as far"
        )


def join_exogenous(dates: pd.DatetimeIndex, exogenous: pd.DataFrame, *, lag_days: int = 1) -> pd.DataFrame:
    """For each trading day the last values known by then; NaN before the first.

    Args:
        lag_days: calendar days from the date written in the file until the value is known. At least 1 by default: a
            figure dated today may come out after today's close. Give the publication delay where there is one.
    """
    if lag_days < 0:
        raise InputError(f"lag_days must not be negative: a value is not known before its date, got {lag_days}")
    known = exogenous.set_axis(exogenous.index + pd.Timedelta(days=lag_days))
    return known.reindex(dates, method="ffill")
