"""What may vary in a run of lightning-stocks, and its presets."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.tasks.stocks_config import StocksConfig
from lightning_projects.config import LightningConfig


@dataclass(frozen=True, kw_only=True)
class Config(StocksConfig, LightningConfig):
    """Options of `lightning-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    changeable: ClassVar[frozenset[str]] = LightningConfig.changeable | {"threads"}

    epochs: int = 12
    """Validations at most; between two of them lies one in `stride` of the training windows."""
    batch_size: int = 64
    """Windows per step, over all processes together."""
    patience: int = 5

    features: tuple[str, ...] = ("standard_return", "standard_overnight", "standard_range", "volume", "volatility")
    """Input columns, of those in dl_shared.data.indicators."""

    hidden: int = 8
    """Numbers that each layer of the LSTM keeps from day to day."""
    layers: int = 2
    """LSTM layers, one on top of another."""
    dropout: float = 0.3
    """Share of the numbers dropped between two layers, and before the heads."""

    learning_rate: float = 1e-3
    """At its peak."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises; it falls to zero in the others, as a cosine."""
    weight_decay: float = 1.0
    """Decoupled from the gradient, times the learning rate; on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient: a crash in a batch of windows is no reason for a leap."""
    stride: int = 20
    """An epoch takes one in so many training windows, others each time: neighbours share nearly all their days."""
    threads: int = 1
    """Of each process on a CPU; on a network this small, more get in each other's way. 0 leaves it to torch."""
    adaptation: float = 0.01
    """By what share a miss widens a company's intervals from the next day on; 0 keeps them as validation made them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("hidden", "layers", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "warmup", "adaptation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        for name in ("weight_decay", "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")


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
