"""What may vary in a run of xla-stocks, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.tasks.stocks_config import GROUPS, RecurrentStocksConfig
from xla_projects.config import XlaConfig

Cell = Literal["lstm", "gru"]

INDICATORS = ("averages", "volatility", "rsi", "macd")
"""Groups of features that technical analysis computes from earlier prices."""


@dataclass(frozen=True, kw_only=True)
class Config(RecurrentStocksConfig, XlaConfig):
    """Options of `xla-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    features: tuple[str, ...] = tuple(GROUPS)
    """Groups of input columns: returns, range, averages, volatility, rsi, macd, volume, calendar."""
    since: str | None = None
    """First day whose prices are used, such as 2009-06-01."""
    until: str | None = None
    """Day after the last one whose prices are used."""

    cell: Cell = "lstm"
    """Kind of the recurrent layers: long short-term memory, or gated recurrent units."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := [name for name in self.features if name not in GROUPS]:
            raise ValueError(f"features must be of {', '.join(GROUPS)}, got {', '.join(unknown)}")
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError("features must name at least one group, each once")

    @property
    def columns(self) -> tuple[str, ...]:
        """Input columns of the groups chosen."""
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
