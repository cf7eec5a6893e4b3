"""A few short price histories and a network that trains on them in a second."""

from pathlib import Path

from dl_shared.testing import write_prices as write_prices
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


def small(folder: Path, **changes) -> Config:
    return Config(**OPTIONS | {"data": str(folder)} | changes)
