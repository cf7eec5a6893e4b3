"""A few short price histories, and a network that trains on them in a second after compilation."""

from pathlib import Path

from dl_shared.testing import write_prices as write_prices
from xla_projects.stocks.config import Config

OPTIONS = {
    "epochs": 2,
    "batch_size": 16,
    "lookback": 12,
    "horizon": 3,
    "features": ("returns", "volume"),
    "hidden": 8,
    "layers": 2,
    "dropout": 0.2,
    "stride": 8,
    "learning_rate": 1e-2,
}


def small(folder: Path | str, **changes) -> Config:
    return Config(**OPTIONS | {"data": str(folder)} | changes)
