"""Price files: every layout reads alike, every repair is reported, everything else is refused with its line."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dl_shared.data.prices import COLUMNS, adjust, load_prices
from dl_shared.errors import InputError

HEADER = "Date,Open,High,Low,Close,Adj Close,Volume\n"
DAYS = [
    "2020-01-02,10,11,9,10.5,10.5,100",
    "2020-01-03,10.5,12,10,11.0,11.0,200",
    "2020-01-06,11,12,10,10.0,10.0,300",
]


def write(path: Path, *lines: str, header: str = HEADER) -> Path:
    path.write_text(header + "".join(line + "\n" for line in lines))
    return path


def load_one(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    prices = load_prices(path)
    (frame,) = prices.frames.values()
    return frame, prices.repairs


def test_yahoo_columns_as_written(tmp_path):
    frame, repairs = load_one(write(tmp_path / "ABC.csv", *DAYS))
    assert tuple(frame.columns) == COLUMNS
    assert frame.index.name == "date"
    assert [str(day.date()) for day in frame.index] == ["2020-01-02", "2020-01-03", "2020-01-06"]
    assert frame["close"].tolist() == [10.5, 11.0, 10.0]
    assert frame["volume"].tolist() == [100, 200, 300]
    assert repairs == ()


def test_kaggle_columns_and_day_first_dates_give_the_same_prices(tmp_path):
    yahoo = load_prices(write(tmp_path / "ABC.csv", *DAYS))
    folder = tmp_path / "nasdaq" / "csv"
    folder.mkdir(parents=True)
    rows = ["02-01-2020,9,10,100,11,10.5,10.5", "03-01-2020,10,10.5,200,12,11,11", "06-01-2020,10,11,300,12,10,10"]
    for ticker in ("ABC", "XYZ"):
        write(folder / f"{ticker}.csv", *rows, header="Date,Low,Open,Volume,High,Close,Adjusted Close\n")
    kaggle = load_prices(tmp_path / "nasdaq")
    assert kaggle.tickers == ("ABC", "XYZ")
    pd.testing.assert_frame_equal(kaggle.frames["ABC"], yahoo.frames["ABC"])
    assert load_prices(tmp_path / "nasdaq", tickers=["ABC"]).fingerprint == yahoo.fingerprint


def test_one_file_with_a_name_column(tmp_path):
    rows = [
        f"{date},{o},{h},{low},{c},{v},{name}" for name in ("B", "A") for date, o, h, low, c, _, v in map(_cells, DAYS)
    ]
    prices = load_prices(write(tmp_path / "all.csv", *rows, header="date,open,high,low,close,volume,Name\n"))
    assert prices.tickers == ("A", "B")
    assert any("dividends" in note for note in prices.repairs)
    assert load_prices(tmp_path / "all.csv", tickers=["B"]).tickers == ("B",)


def _cells(line: str) -> list[str]:
    return line.split(",")


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (["13-12-2012", "14-12-2012"], ["2012-12-13", "2012-12-14"]),
        (["12/13/2012", "12/14/2012"], ["2012-12-13", "2012-12-14"]),
        (["1/2/2012", "2/2/2012", "3/2/2012"], ["2012-02-01", "2012-02-02", "2012-02-03"]),
        (["02.01.2012", "02.02.2012", "02.03.2012"], ["2012-02-01", "2012-02-02", "2012-02-03"]),
        (["2012-12-13 00:00:00-05:00", "2012-12-14 00:00:00-05:00"], ["2012-12-13", "2012-12-14"]),
    ],
)
def test_the_order_of_day_and_month_is_decided_per_file(tmp_path, dates, expected):
    frame, _ = load_one(write(tmp_path / "A.csv", *(f"{date},1,1,1,1,1,1" for date in dates)))
    assert [str(day.date()) for day in frame.index] == expected


def test_unsorted_and_duplicated_days_are_put_right_and_reported(tmp_path):
    frame, repairs = load_one(write(tmp_path / "A.csv", *reversed(DAYS), "2020-01-03,10.5,12,10,11.5,11.5,250"))
    assert frame.index.is_monotonic_increasing
    assert frame["close"].tolist() == [10.5, 11.5, 10.0]
    assert any("sorted" in note for note in repairs)
    assert any("1 days given twice" in note for note in repairs)


def test_missing_values_are_filled_from_the_past_only(tmp_path):
    rows = [
        DAYS[0],
        "2020-01-03,0.0,12,10.6,11,11,null",
        "2020-01-04,null,null,null,null,null,null",
        "2020-01-06,0,,0,9,9,5",
    ]
    frame, repairs = load_one(write(tmp_path / "A.csv", *rows))
    assert len(frame) == 3
    assert frame["open"].tolist() == [10, 10.6, 11]  # yesterday's 10.5 lies below the second day's range
    assert frame["high"].tolist() == [11, 12, 11]
    assert frame["low"].tolist() == [9, 10.6, 9]
    assert frame["volume"].tolist() == [100, 0, 5]
    assert any("2 missing or zero values of open" in note for note in repairs)
    assert any("1 days without a close" in note for note in repairs)


def test_a_half_day_is_a_trading_day_like_any_other(tmp_path):
    """The exchange closed at one o'clock: a third of the volume, hardly a range, and a price as good as any."""
    half = "2020-01-07,10.0,10.05,9.98,10.02,10.02,90"
    frame, repairs = load_one(write(tmp_path / "A.csv", *DAYS, half))
    assert frame.iloc[-1].tolist() == [10.0, 10.05, 9.98, 10.02, 10.02, 90.0]
    assert repairs == ()


def test_an_unadjusted_split_is_undone_and_a_crash_is_not(tmp_path):
    calm = [f"2020-01-{day:02},100,101,99,100,1000" for day in range(1, 11)]
    after = [f"2020-01-{day:02},25,25.2,24.8,25,4000" for day in range(11, 21)]
    header = "Date,Open,High,Low,Close,Volume\n"
    frame, repairs = load_one(write(tmp_path / "S.csv", *calm, *after, header=header))
    assert frame["close"].tolist() == [25.0] * 20
    assert frame["volume"].tolist() == [4000.0] * 20
    assert any("1 unadjusted splits undone (2020-01-11)" in note for note in repairs)

    crash = [f"2020-01-{day:02},80,82,24.8,25,9000" for day in range(11, 21)]
    frame, repairs = load_one(write(tmp_path / "C.csv", *calm, *crash, header=header))
    assert frame["close"].tolist() == [100.0] * 10 + [25.0] * 10
    assert not any("split" in note for note in repairs)


def test_a_split_that_adj_close_already_holds_is_left_alone(tmp_path):
    rows = ["2020-01-01,100,101,99,100,25,1", "2020-01-02,25,25,25,25,25,4"]
    frame, repairs = load_one(write(tmp_path / "A.csv", *rows))
    assert repairs == ()
    assert adjust(frame)["close"].tolist() == [25, 25]
    assert adjust(frame)["open"].tolist() == [25, 25]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["2020-01-02,1,1,1,1,1,1", "2020-13-45,1,1,1,1,1,1"], "line 3: '2020-13-45' is not a date"),
        (["2020-01-02,1,1,1,1,1,1", "yesterday,1,1,1,1,1,1"], "line 3: 'yesterday' is not a date"),
        (["13/12/2012,1,1,1,1,1,1", "12/13/2012,1,1,1,1,1,1"], "line 3: '12/13/2012' is not a date"),
        (["01-02-2012,1,1,1,1,1,1"], "day and month cannot be told apart"),
        (["2020-01-02,1,1,1,0,1,1"], "line 2: close is 0, which no share can have"),
        (["2020-01-02,1,1,1,1,-2,1"], "line 2: adj_close is -2"),
        (["", "2020-01-02,1,1,-1,1,1,1"], "line 3: low is -1"),
        (["2020-01-02,1,1,1,1,1,-7"], "line 2: volume is -7"),
        (["2020-01-02,1,1,1,abc,1,1"], "line 2: close 'abc' is not a number"),
        (["2020-01-02,1,1,1,inf,1,1"], "line 2: close 'inf' is not a number"),
        (["2020-01-02,1,1,1,NaN,1,1"], "has no day with a close"),
        ([], "has a header and no days"),
    ],
)
def test_what_cannot_be_repaired_is_refused_with_its_line(tmp_path, lines, message):
    with pytest.raises(InputError) as error:
        load_prices(write(tmp_path / "A.csv", *lines))
    assert message in str(error.value)
    assert "A.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_files_and_folders_are_refused_in_one_line(tmp_path):
    (tmp_path / "empty.csv").touch()
    (tmp_path / "binary.csv").write_bytes(bytes(range(128, 256)) * 10)
    write(tmp_path / "columns.csv", "2020-01-02,1", header="Date,Close\n")
    (tmp_path / "folder").mkdir()
    two = tmp_path / "two"
    two.mkdir()
    for name in ("A", "B"):
        write(two / f"{name}.csv", *DAYS)
    for path, tickers, message in [
        (tmp_path / "none", [], "does not exist"),
        (tmp_path / "empty.csv", [], "is empty"),
        (tmp_path / "binary.csv", [], "is not UTF-8"),
        (tmp_path / "columns.csv", [], "has no column open, high, low, volume"),
        (tmp_path / "folder", [], "holds no .csv file"),
        (two, ["A", "C"], "has no prices for C; it has A, B"),
        (two / "A.csv", ["C"], "has no prices for C; it has A"),
    ]:
        with pytest.raises(InputError) as error:
            load_prices(path, tickers=tickers)
        assert message in str(error.value)
        assert "\n" not in str(error.value)


def test_the_fingerprint_follows_values_and_tickers(tmp_path):
    first = load_prices(write(tmp_path / "A.csv", *DAYS)).fingerprint
    assert load_prices(write(tmp_path / "A.csv", *DAYS)).fingerprint == first
    assert load_prices(write(tmp_path / "B.csv", *DAYS)).fingerprint != first
    assert load_prices(write(tmp_path / "A.csv", *DAYS[:2])).fingerprint != first


@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="needs the folder of real data in DL_TEST_DATA")
def test_real_yahoo_files():
    prices = load_prices(Path(os.environ["DL_TEST_DATA"]) / "stocks")
    assert len(prices.tickers) == 12
    assert [len(prices.frames[ticker]) for ticker in ("AAP", "BA")] == [5380, 15426]
    assert "AMD: 760 missing or zero values of open filled" in prices.repairs
    assert not any("split" in note for note in prices.repairs)
    for frame in prices.frames.values():
        assert np.isfinite(frame.to_numpy()).all()
        assert (frame[["open", "high", "low", "close", "adj_close"]] > 0).all(axis=None)
