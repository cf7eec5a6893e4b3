"""What may vary in a run of flax-stocks, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.ranges import AT_LEAST_1, BELOW_1, NOT_NEGATIVE, check
from dl_shared.tasks.stocks_config import StocksConfig
from flax_projects.config import FlaxConfig

Normalization = Literal["revin", "returns"]
Positions = Literal["learned", "rotary"]


@dataclass(frozen=True, kw_only=True)
class Config(StocksConfig, FlaxConfig):
    """Options of `flax-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    epochs: int = 5
    """Passes over one in `stride` of the training windows, each followed by validation."""
    batch_size: int = 64
    """Windows per step, over all devices together."""

    normalization: Normalization = "revin"
    """Scale inputs and forecasts by what the window itself shows up to each day, or leave returns as they are."""
    positions: Positions = "rotary"
    """How attention knows which day is which: a learned vector for each, or a rotation by the distance of two."""
    width: int = 16
    """Numbers that stand for one day inside the network."""
    layers: int = 2
    """Blocks of attention and perceptron."""
    heads: int = 2
    """Attention heads; each gets an equal share of the width."""
    dropout: float = 0.3
    """Share of each block's output that is dropped in training."""

    members: int = 4
    """Networks that differ in their seed alone, trained at once; the forecast is the mean of their quantiles."""
    learning_rate: float = 2e-3
    """At its peak."""
    learning_rates: tuple[float, ...] = ()
    """Several in its place: `members` networks for each, all trained at once, and validation chooses."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises; it falls to zero in the others, as a cosine."""
    weight_decay: float = 1.0
    """Decoupled from the gradient, times the learning rate; on kernels only."""
    stride: int = 20
    """An epoch takes one in so many training windows, others each time: neighbours share nearly all their days."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "width", "layers", "heads", "members", "stride")
        if self.width % (2 * self.heads):
            raise ValueError(f"each of {self.heads} heads needs an even share of the width, got {self.width}")
        check(self, BELOW_1, "dropout", "warmup")
        check(self, NOT_NEGATIVE, "weight_decay")
        if self.normalization == "revin" and self.features and "return" not in self.features:
            raise ValueError("revin scales forecasts by the window's returns: add `return` to the features")
        if min(self.rates) <= 0:
            raise ValueError(f"learning rates must be positive, got {self.rates}")

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates that are tried."""
        return self.learning_rates or (self.learning_rate,)


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, compilation, baselines and pictures included; meant for `--data sample`.
    "quick": Config(
        lookback=32,
        horizon=5,
        epochs=9,
        batch_size=32,
        dropout=0.0,
        members=2,
        learning_rate=2e-2,
        weight_decay=0.1,
        stride=16,
    ),
    # For an accelerator: a year of history, a quarter ahead, and eight seeds at each of three learning rates.
    "full": Config(
        lookback=252,
        horizon=63,
        width=64,
        layers=4,
        heads=4,
        batch_size=256,
        stride=60,
        epochs=10,
        members=8,
        learning_rates=(5e-4, 1e-3, 2e-3),
    ),
}
