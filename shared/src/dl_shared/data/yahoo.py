"""Daily prices from Yahoo Finance, through yfinance, kept on disk.

Where `$DL_YAHOO_URL` is set (a proxy of one's own, a replay server in tests), every request to Yahoo goes there
instead, with its path and query unchanged.
"""

import logging
import os
import time
import warnings
from collections.abc import Collection
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pandas as pd

from dl_shared.data.prices import COLUMNS, Prices, clean
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, cache_dir, fingerprint

OTHERWISE = "use `--data sample`, or give a CSV or a folder of CSVs in Yahoo's columns"
DEFAULT_TICKERS = ("AAPL", "AMZN", "BA", "COST", "CSCO", "MSFT")  # what `hub` fetches unless told otherwise
WAITS = (1.0, 4.0, 15.0)  # seconds before each further try when Yahoo limits the rate


def fetch_prices(
    tickers: Collection[str],
    *,
    start: str = "2000-01-01",
    end: str | None = None,
    base_url: str | None = None,
    waits: Collection[float] = WAITS,
) -> Prices:
    """Fetch daily prices, or read them from the cache.

    Args:
        tickers: symbols as Yahoo writes them, such as AAPL.
        start: first date, ISO.
        end: first date after the last, ISO; today when None, so that a day still trading is left out.
        base_url: where requests go instead of to Yahoo; `$DL_YAHOO_URL` when None.
        waits: seconds before each further try when Yahoo limits the rate; one try when empty.

    Raises:
        InputError: if Yahoo cannot be reached, limits the rate, does not know a ticker or has no days for it, or a
            date is not one.
    """
    first = _parse_date(start, "start")
    last = datetime.now(UTC).date() if end is None else _parse_date(end, "end")
    if first >= last:
        raise InputError(f"start must be before end, got {first} and {last}")
    base_url = base_url or os.environ.get("DL_YAHOO_URL") or None
    frames, repairs = {}, []
    for ticker in sorted(set(tickers)):
        table = _cached(ticker, first, last, base_url, tuple(waits))
        frames[ticker], notes = clean(table, where=f"Yahoo's prices of {ticker}")
        repairs += [f"{ticker}: {note}" for note in notes]
    days = f"{first} to {last}"
    return Prices(frames, source=f"Yahoo Finance: {', '.join(frames)}, {days}", repairs=tuple(repairs))


def _parse_date(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name} must be a date like 2012-12-31, got {text!r}") from None


def _cached(ticker: str, first: date, last: date, base_url: str | None, waits: tuple[float, ...]) -> pd.DataFrame:
    key = fingerprint([ticker, str(first), str(last), base_url or ""])[:16]
    path = cache_dir() / "yahoo" / f"{key}.parquet"  # a ticker such as ^GSPC or ../x is no file name
    stored = _read_cache(path)
    if stored is not None:
        return stored
    table = _fetch_patiently(ticker, first, last, base_url, waits)
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, write_page_checksum=True)
    return table


def _read_cache(path: Path) -> pd.DataFrame | None:
    try:
        table = pd.read_parquet(path, page_checksum_verification=True)
    except Exception:  # absent, or damaged in whatever way, which is as good as absent
        return None
    return table if set(table.columns) == {"date", *COLUMNS} else None


def _fetch_patiently(
    ticker: str, first: date, last: date, base_url: str | None, waits: tuple[float, ...]
) -> pd.DataFrame:
    """One ticker's table in the columns of a file; tries again only when told to slow down."""
    with warnings.catch_warnings():
        from yfinance.exceptions import YFRateLimitError, YFTickerMissingError

        warnings.simplefilter("ignore")  # yfinance uses what pandas 3 is about to drop, once for every row
        for wait in (*waits, None):
            try:
                return _fetch(ticker, first, last, base_url)
            except YFRateLimitError:
                if wait is not None:
                    time.sleep(wait)
            except YFTickerMissingError:
                raise InputError(
                    f"Yahoo has no prices for {ticker!r} from {first} to {last}; check the symbol and the dates"
                ) from None
            except Exception as error:  # the network's, and all that yfinance makes of an answer it did not expect
                cause = type(error).__name__
                raise InputError(f"Yahoo Finance cannot be reached or understood ({cause}); {OTHERWISE}") from None
    raise InputError(f"Yahoo Finance limits the rate of requests; wait some minutes, or {OTHERWISE}")


def _fetch(ticker: str, first: date, last: date, base_url: str | None) -> pd.DataFrame:
    import yfinance

    warnings.simplefilter("ignore")  # again: yfinance sets its own filter when imported
    yfinance.set_tz_cache_location(str(cache_dir() / "yahoo"))
    logging.getLogger("yfinance").setLevel(logging.CRITICAL)  # it logs what it then raises
    session = _redirected_session(base_url) if base_url else None
    history = yfinance.Ticker(ticker, session=session).history(
        start=first.isoformat(), end=last.isoformat(), auto_adjust=False, actions=False, raise_errors=True, timeout=10
    )
    if history.empty:
        raise yfinance.exceptions.YFPricesMissingError(ticker, "")
    index = pd.DatetimeIndex(history.index).tz_localize(None).normalize()  # midnight at the exchange
    columns = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Adj Close": "adj_close"}
    table = history.rename(columns=columns | {"Volume": "volume"})[[*columns.values(), "volume"]]
    return table.astype("float64").assign(date=index).reset_index(drop=True)


def _redirected_session(base_url: str) -> Any:
    """A session whose requests go to `base_url`, whatever host they were meant for."""
    import requests
    from requests.adapters import HTTPAdapter

    target = urlsplit(base_url)

    class Redirect(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
            meant = urlsplit(str(request.url))
            path = target.path.rstrip("/") + meant.path
            request.url = urlunsplit((target.scheme, target.netloc, path, meant.query, ""))
            return super().send(request, *args, **kwargs)

    session = requests.Session()
    session.trust_env = False  # a proxy of the environment would not find a server on this machine
    for scheme in ("https://", "http://"):
        session.mount(scheme, Redirect())
    return session
