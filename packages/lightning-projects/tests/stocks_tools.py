"""A few short price histories and a network that trains on them in a second."""

from pathlib import Path

from dl_shared.sample.prices import make_prices
from lightning_projects.stocks.config import Config

OPTIONS = {
    "epochs": 2,
    "batch_size": 16,
    "patience": 0,
    "lookback": 12,
    "horizon": 3,
    "features": ("return", "volume", "overnight"),
    "hidden": 8,
    "layers": 2,
    "dropout": 0.2,
    "stride": 8,
    "learning_rate": 1e-2,
}


def write_prices(folder: Path, *, tickers: int = 3, days: int = 700) -> Path:
    """A CSV for each of the companies S00, S01, ... in Yahoo's columns."""
    folder.mkdir(exist_ok=True)
    for ticker, frame in make_prices(seed=0, tickers=tickers, days=days).prices.frames.items():
        frame.rename(columns={"adj_close": "Adj Close"}).to_csv(folder / f"{ticker}.csv", index_label="Date")
    return folder


def small(folder: Path, **changes) -> Config:
    return Config(**OPTIONS | {"data": str(folder)} | changes)
