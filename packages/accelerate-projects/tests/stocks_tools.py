"""A few short price histories, headlines beside them, and a network that trains on them in a second."""

from pathlib import Path

from accelerate_projects.stocks.config import Config
from dl_shared.sample.headlines import make_headlines
from dl_shared.testing import write_prices as write_prices

OPTIONS = {
    "epochs": 2,
    "batch_size": 16,
    "lookback": 12,
    "horizon": 3,
    "features": ("returns", "volume", "news"),
    "hidden": 8,
    "layers": 2,
    "dropout": 0.2,
    "stride": 8,
    "learning_rate": 1e-2,
}


def write_headlines(path: Path, *, tickers: int = 3, days: int = 700) -> Path:
    """Dated headlines about them."""
    make_headlines(seed=0, tickers=tickers, days=days).rename(columns={"ticker": "stock"}).to_csv(path, index=False)
    return path


def small(folder: Path | str, **changes) -> Config:
    return Config(**OPTIONS | {"data": str(folder)} | changes)
