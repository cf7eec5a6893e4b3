"""What may vary in a run of lightning-stocks, and its presets."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lightning_projects.config import LightningConfig

LEVELS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)  # of the quantiles; symmetric around the forecast


@dataclass(frozen=True, kw_only=True)
class Config(LightningConfig):
    """Options of `lightning-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    changeable: ClassVar[frozenset[str]] = LightningConfig.changeable | {"threads"}

    epochs: int = 12
    """Validations at most; between two of them lies one in `stride` of the training windows."""
    batch_size: int = 64
    """Windows per step, over all processes together."""
    patience: int = 5

    tickers: tuple[str, ...] = ()
    """Companies to load; none given takes all that the data hold."""
    test_tickers: tuple[str, ...] = ()
    """Companies to test and never train on; none given tests all in the test period."""
    features: tuple[str, ...] = ("standard_return", "standard_overnight", "standard_range", "volume", "volatility")
    """Input columns, of those in dl_shared.data.indicators."""
    exogenous: str | None = None
    """A CSV of dated series (column Date, then numbers), as further input columns."""
    exogenous_lag_days: int = 1
    """Calendar days after its date until a value of that CSV is known."""
    lookback: int = 60
    """Trading days the network sees, about a quarter."""
    horizon: int = 20
    """Trading days forecast, all at once; 20 are a month, 63 a quarter."""
    sample_signal: float = 0.35
    """Strength of what is planted in sample data; 0 makes a pure random walk of it."""

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
        if self.exogenous is not None:  # absolute, as the data, so that a run can be resumed from another folder
            object.__setattr__(self, "exogenous", str(Path(self.exogenous).expanduser().absolute()))
        for name in ("lookback", "horizon", "hidden", "layers", "stride"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "warmup", "adaptation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        for name in ("weight_decay", "exogenous_lag_days", "sample_signal", "threads"):
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
