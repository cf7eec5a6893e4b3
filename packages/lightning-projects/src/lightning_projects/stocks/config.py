"""What may vary in a run of lightning-stocks, and its presets."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.ranges import NOT_NEGATIVE, check
from dl_shared.tasks.stocks_config import RecurrentStocksConfig
from lightning_projects.config import LightningConfig


@dataclass(frozen=True, kw_only=True)
class Config(RecurrentStocksConfig, LightningConfig):
    """Options of `lightning-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    changeable: ClassVar[frozenset[str]] = LightningConfig.changeable | {"threads"}

    epochs: int = 12
    """Passes at most over one in `stride` of the training windows, each followed by validation."""
    patience: int = 5

    features: tuple[str, ...] = ("standard_return", "standard_overnight", "standard_range", "volume", "volatility")
    """Input columns, of those in dl_shared.data.indicators."""

    threads: int = 1
    """Of each process on a CPU; on a network this small, more get in each other's way. 0 leaves it to torch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, NOT_NEGATIVE, "threads")


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, baselines and pictures included; meant for `--data sample`.
    "quick": Config(
        lookback=32,
        horizon=5,
        epochs=12,
        patience=0,
        batch_size=32,
        features=("standard_return", "standard_overnight", "volume"),
        hidden=12,
        layers=1,
        dropout=0.0,
        learning_rate=1e-2,
        weight_decay=0.01,
        stride=8,
    ),
    # For an accelerator: a year of history, a quarter ahead, a wide net.
    "full": Config(
        lookback=252,
        horizon=63,
        hidden=64,
        layers=3,
        batch_size=512,
        stride=60,
        epochs=60,
        patience=10,
        precision="bf16",
    ),
}
