"""What may vary in a run of xla-stocks, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.tasks.stocks_config import GROUPS, StocksConfig
from xla_projects.config import XlaConfig

Cell = Literal["lstm", "gru"]

INDICATORS = ("averages", "volatility", "rsi", "macd")
"""Groups of features that are computed from earlier prices alone: what technical analysis looks at."""


@dataclass(frozen=True, kw_only=True)
class Config(StocksConfig, XlaConfig):
    """Options of `xla-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    epochs: int = 12
    """Validations; between two of them lies one in `stride` of the training windows."""
    batch_size: int = 64
    """Windows per update, of all devices together."""

    features: tuple[str, ...] = tuple(GROUPS)
    """Groups of input columns: returns, range, averages, volatility, rsi, macd, volume, calendar."""
    since: str | None = None
    """Day from which on prices are used, such as 2009-06-01."""
    until: str | None = None
    """First day whose prices are not used any more."""

    cell: Cell = "lstm"
    """What each layer does from day to day: long short-term memory, or gated recurrent units."""
    hidden: int = 8
    """Numbers that each layer keeps from day to day."""
    layers: int = 2
    """Recurrent layers, one on top of another."""
    dropout: float = 0.3
    """Share of the numbers dropped between two layers, and before the heads."""

    learning_rate: float = 1e-3
    """Of AdamW, at its peak."""
    warmup: float = 0.1
    """Share of the updates in which the learning rate rises; it falls to zero in the others, as a cosine."""
    weight_decay: float = 1.0
    """Decoupled from the gradient, times the learning rate; on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    stride: int = 20
    """An epoch takes one in so many training windows, others each time: neighbours share nearly all their days."""
    adaptation: float = 0.01
    """By what share a miss widens a company's intervals from the next day on; 0 keeps them as validation made them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.features if name not in GROUPS]:
            raise ValueError(f"features must be of {', '.join(GROUPS)}, got {', '.join(unknown)}")
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError("features must name at least one group, each once")
        for name in ("hidden", "layers", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "warmup", "adaptation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        for name in ("learning_rate", "clip"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the groups chosen."""
        return tuple(column for group in self.features for column in GROUPS[group])


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, compilation, baselines and pictures included; meant for `--data sample`.
    "quick": Config(
        lookback=32,
        horizon=5,
        epochs=8,
        batch_size=32,
        features=("returns", "volume"),
        hidden=12,
        layers=1,
        dropout=0.0,
        learning_rate=1e-2,
        weight_decay=0.01,
        stride=8,
    ),
    # For a TPU: a year of history, a quarter ahead, a wide net.
    "full": Config(
        lookback=252,
        horizon=63,
        hidden=128,
        layers=3,
        batch_size=512,
        stride=60,
        epochs=60,
        precision="bf16",
    ),
}
