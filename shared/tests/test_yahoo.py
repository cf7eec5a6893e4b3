"""yfinance's own parser against a local server that answers as Yahoo does."""

import pytest
import yfinance
from yahoo_server import yahoo_server

from dl_shared.data.yahoo import fetch_prices
from dl_shared.errors import InputError
from dl_shared.files import cache_dir

DAYS = [
    ("2020-01-02", 10.0, 11.0, 9.0, 10.5, 5.25, 100),
    ("2020-01-03", 10.5, 12.0, 10.0, 11.0, 5.50, 200),
    ("2020-01-06", 11.0, 12.0, 10.0, 10.0, 5.00, 300),
]
PERIOD = {"start": "2020-01-01", "end": "2020-02-01"}


@pytest.fixture(autouse=True)
def _forget():
    """yfinance remembers answers about the past for as long as the process lives."""
    yfinance.data.YfData.cache_get.cache_clear()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path / "cache"))
    with yahoo_server({"ABC": DAYS, "XYZ": DAYS}) as running:
        monkeypatch.setenv("DL_YAHOO_URL", running.url)
        yield running


def test_prices_as_yahoo_gives_them(server):
    prices = fetch_prices(["XYZ", "ABC"], **PERIOD)
    assert prices.tickers == ("ABC", "XYZ")
    frame = prices.frames["ABC"]
    assert [str(day.date()) for day in frame.index] == [day for day, *_ in DAYS]
    assert frame["close"].tolist() == [10.5, 11.0, 10.0]
    assert frame["adj_close"].tolist() == [5.25, 5.5, 5.0]
    assert frame["volume"].tolist() == [100, 200, 300]
    assert prices.source == "Yahoo Finance: ABC, XYZ, 2020-01-01 to 2020-02-01"


def test_what_yahoo_gives_is_cleaned_as_files_are(server):
    """A day without prices, the last day once more with the closing quote, and a half day before it."""
    server.prices["ABC"] = [
        *DAYS,
        ("2020-01-07", None, None, None, None, None, None),
        ("2020-01-08", 10.0, 10.1, 9.9, 10.0, 5.0, 30),
        ("2020-01-09", 10.0, 10.4, 9.8, 10.1, 5.05, 250),
        ("2020-01-09T06:30", 10.0, 10.4, 9.8, 10.2, 5.10, 400),
    ]
    prices = fetch_prices(["ABC"], **PERIOD)
    frame = prices.frames["ABC"]
    assert [day.day for day in frame.index] == [2, 3, 6, 8, 9]
    assert frame["close"].tolist() == [10.5, 11.0, 10.0, 10.0, 10.2]
    assert frame["volume"].tolist()[-2:] == [30, 400]


def test_what_was_fetched_is_kept_and_a_damaged_copy_is_fetched_again(server):
    first = fetch_prices(["ABC"], **PERIOD)
    asked = server.requests
    assert asked > 0
    assert fetch_prices(["ABC"], **PERIOD).fingerprint == first.fingerprint
    assert server.requests == asked
    (kept,) = (cache_dir() / "yahoo").glob("*.parquet")
    kept.write_bytes(kept.read_bytes()[:50])
    yfinance.data.YfData.cache_get.cache_clear()
    assert fetch_prices(["ABC"], **PERIOD).fingerprint == first.fingerprint
    assert server.requests > asked


def test_a_limited_rate_is_waited_out(server):
    server.refuse = 2  # yfinance itself asks twice before it gives up
    assert fetch_prices(["ABC"], **PERIOD, waits=[0.0]).tickers == ("ABC",)


def test_a_rate_limited_for_good_is_told_in_one_line(server):
    server.refuse = 10**6
    with pytest.raises(InputError, match=r"limits the rate of requests; wait some minutes, or use `--data sample`"):
        fetch_prices(["ABC"], **PERIOD, waits=[0.0])


def test_an_unknown_ticker_and_an_empty_period_are_told_in_one_line(server):
    with pytest.raises(InputError, match="Yahoo has no prices for 'NOPE' from 2020-01-01 to 2020-02-01"):
        fetch_prices(["ABC", "NOPE"], **PERIOD)
    with pytest.raises(InputError, match="Yahoo has no prices for 'ABC' from 2021-01-01"):
        fetch_prices(["ABC"], start="2021-01-01", end="2021-02-01")


def test_no_network_is_told_in_one_line_with_the_other_choices(tmp_path, monkeypatch):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    with pytest.raises(InputError) as error:
        fetch_prices(["ABC"], **PERIOD, base_url="http://127.0.0.1:9")  # nothing listens on the discard port
    assert "cannot be reached or understood (ConnectionError)" in str(error.value)
    assert "`--data sample`" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("period", "message"),
    [
        ({"start": "01/02/2020"}, "start must be a date like 2012-12-31, got '01/02/2020'"),
        ({"start": "2020-01-01", "end": "soon"}, "end must be a date"),
        ({"start": "2020-02-01", "end": "2020-01-01"}, "start must be before end"),
    ],
)
def test_bad_dates_are_refused(period, message):
    with pytest.raises(InputError, match=message):
        fetch_prices(["ABC"], **period)
