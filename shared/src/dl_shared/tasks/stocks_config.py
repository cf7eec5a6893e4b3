"""What every forecasting project lets vary about its data; imports nothing heavy, so that --help is instant."""

from dataclasses import dataclass

from dl_shared.config import TrainConfig
from dl_shared.paths import make_absolute
from dl_shared.ranges import AT_LEAST_1, BELOW_1, NOT_NEGATIVE, POSITIVE, check

# Columns of dl_shared.data.indicators, by what they tell.
GROUPS: dict[str, tuple[str, ...]] = {
    "returns": ("standard_return", "standard_overnight"),
    "range": ("standard_range",),
    "averages": ("sma_20", "sma_50", "ema_12"),
    "volatility": ("volatility",),
    "rsi": ("rsi",),
    "macd": ("macd",),
    "volume": ("volume",),
    "calendar": ("week_sine", "week_cosine", "year_sine", "year_cosine"),
}
LEVELS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95)  # of the quantiles; symmetric around the forecast


@dataclass(frozen=True, kw_only=True)
class StocksConfig(TrainConfig):
    """Options of `dl_shared.tasks.stocks.load_data`; a project's own derives from it and its package's."""

    tickers: tuple[str, ...] = ()
    """Companies to load; none given takes all that the data hold."""
    test_tickers: tuple[str, ...] = ()
    """Companies to test and never train on; none given tests all in the test period."""
    features: tuple[str, ...] = ()
    """Input columns, of those in dl_shared.data.indicators; none given takes the usual eight."""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        make_absolute(self, "exogenous")
        check(self, AT_LEAST_1, "lookback", "horizon")
        check(self, NOT_NEGATIVE, "exogenous_lag_days", "sample_signal")

    @property
    def columns(self) -> tuple[str, ...]:
        """The indicators that are input columns."""
        return self.features


@dataclass(frozen=True, kw_only=True)
class RecurrentStocksConfig(StocksConfig):
    """Options of a small recurrent network and of its training, the same in every framework that has one."""

    epochs: int = 12
    """Passes over one in `stride` of the training windows, each followed by validation."""
    batch_size: int = 64
    """Windows per update, of all processes and devices together."""

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
    """Largest norm of the gradient: a crash in a batch of windows is no reason for a leap."""
    stride: int = 20
    """An epoch takes one in so many training windows, others each time: neighbours share nearly all their days."""
    adaptation: float = 0.01
    """By what share a miss widens a company's intervals from the next day on; 0 keeps them as validation made them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "hidden", "layers", "stride")
        check(self, BELOW_1, "dropout", "warmup", "adaptation")
        check(self, NOT_NEGATIVE, "weight_decay")
        check(self, POSITIVE, "learning_rate", "clip")
