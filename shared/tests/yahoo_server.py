"""A local server that answers as Yahoo Finance does, for the parts that yfinance asks for.

with yahoo_server({"ABC": [(date, open, high, low, close, adj_close, volume), ...]}) as server:
    os.environ["DL_YAHOO_URL"] = server.url
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

NEW_YORK_OPEN = 14.5 * 3600  # seconds after midnight UTC, in winter


class YahooServer(ThreadingHTTPServer):
    """Set `refuse` to the number of chart requests to answer with 429; `requests` counts those for charts."""

    daemon_threads = True

    def __init__(self, prices: dict[str, list[tuple]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.prices = prices
        self.refuse = 0
        self.requests = 0
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: YahooServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/v1/test/getcrumb":
            self.answer(200, b"crumb", "text/plain")
        elif url.path.startswith("/v8/finance/chart/"):
            self.server.requests += 1
            if self.server.refuse > 0:
                self.server.refuse -= 1
                self.answer(429, b"Too Many Requests\r\n", "text/html")
                return
            symbol = url.path.rsplit("/", 1)[1]
            query = parse_qs(url.query)
            self.chart(symbol, int(query.get("period1", ["0"])[0]), int(query.get("period2", ["99999999999"])[0]))
        else:
            self.answer_json(200, {"quoteSummary": {"result": [], "error": None}})

    def chart(self, symbol: str, first: int, last: int) -> None:
        if symbol not in self.server.prices:
            error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            self.answer_json(404, {"chart": {"result": None, "error": error}})
            return
        rows = [(self.stamp(row[0]), *row[1:]) for row in self.server.prices[symbol]]
        rows = [row for row in rows if first <= row[0] < last]
        stamps, opens, highs, lows, closes, adjusted, volumes = map(list, zip(*rows, strict=True)) if rows else [[]] * 7
        meta = {
            "currency": "USD",
            "symbol": symbol,
            "exchangeName": "NMS",
            "instrumentType": "EQUITY",
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "gmtoffset": -18000,
            "regularMarketPrice": 1.0,
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": "",
            "validRanges": ["1d", "max"],
            "firstTradeDate": self.stamp("1990-01-02"),
        }
        quote = {"open": opens, "high": highs, "low": lows, "close": closes, "volume": volumes}
        indicators = {"quote": [quote], "adjclose": [{"adjclose": adjusted}]}
        result = {"meta": meta, "timestamp": stamps, "indicators": indicators}
        self.answer_json(200, {"chart": {"result": [result], "error": None}})

    @staticmethod
    def stamp(day: str) -> int:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + NEW_YORK_OPEN)

    def answer_json(self, status: int, value: object) -> None:
        self.answer(status, json.dumps(value).encode(), "application/json")

    def answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def yahoo_server(prices: dict[str, list[tuple]]) -> Iterator[YahooServer]:
    server = YahooServer(prices)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
