"""What every forecasting project lets vary about its data; imports nothing heavy, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path

from dl_shared.config import TrainConfig

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
        if self.exogenous is not None:  # absolute, as the data, so that a run can be resumed from another folder
            object.__setattr__(self, "exogenous", str(Path(self.exogenous).expanduser().absolute()))
        for name in ("lookback", "horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("exogenous_lag_days", "sample_signal"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")

    @property
    def columns(self) -> tuple[str, ...]:
        """The indicators that are input columns."""
        return self.features
