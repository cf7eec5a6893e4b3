"""What may vary in a run of accelerate-stocks, and its presets."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from accelerate_projects.config import AccelerateConfig
from dl_shared.paths import user_path
from dl_shared.ranges import NOT_NEGATIVE, check
from dl_shared.tasks import stocks_config
from dl_shared.tasks.stocks_config import RecurrentStocksConfig

Cell = Literal["rnn", "gru", "lstm"]

GROUPS: dict[str, tuple[str, ...]] = {**stocks_config.GROUPS, "news": ()}  # two columns made of --headlines


@dataclass(frozen=True, kw_only=True)
class Config(RecurrentStocksConfig, AccelerateConfig):
    """Options of `accelerate-stocks train`. The defaults are the recipe for real prices on two CPU cores."""

    changeable: ClassVar[frozenset[str]] = AccelerateConfig.changeable | {"threads"}

    features: tuple[str, ...] = tuple(GROUPS)
    """Groups of input columns: returns, range, averages, volatility, rsi, macd, volume, calendar, news."""
    headlines: str | None = None
    """A CSV of dated headlines (columns title, date, stock), or `sample` beside sample data."""
    sentiment_model: str | None = None
    """Folder of a text classifier that scores headlines (default: a lexicon scores them)."""
    sample_news: float = 0.5
    """How much the sample's headlines move its prices; 0 for not at all. Only with `--headlines sample`."""
    since: str | None = None
    """First day whose prices are used, such as 2009-06-01."""
    until: str | None = None
    """Day after the last one whose prices are used."""

    cell: Cell = "lstm"
    """Kind of the recurrent layers: plain, gated recurrent units, or long short-term memory."""

    threads: int = 1
    """CPU threads of each process; more than one slow a network as small as this. 0 leaves the number to torch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("headlines", "sentiment_model"):  # absolute, so that a run can be resumed from another folder
            value = getattr(self, name)
            if value not in (None, "sample"):
                object.__setattr__(self, name, str(user_path(value).absolute()))
        if unknown := [name for name in self.features if name not in GROUPS]:
            raise ValueError(f"features must be of {', '.join(GROUPS)}, got {', '.join(unknown)}")
        if not self.columns or len(set(self.features)) < len(self.features):
            raise ValueError("features must name at least one group beside news, each once")
        if self.headlines == "sample" and self.data != "sample":
            raise ValueError("headlines sample go with data sample only; give a CSV of headlines")
        if self.sentiment_model is not None and self.headlines is None:
            raise ValueError("sentiment_model scores headlines, and none are given; add headlines")
        check(self, NOT_NEGATIVE, "sample_news", "threads")

    @property
    def columns(self) -> tuple[str, ...]:
        """Of the groups chosen, without those of the news."""
        return tuple(column for group in self.features for column in GROUPS[group])

    @property
    def uses_news(self) -> bool:
        """Whether headlines are input columns."""
        return self.headlines is not None and "news" in self.features


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, baselines and pictures included; meant for `--data sample`.
    "quick": Config(
        lookback=32,
        horizon=5,
        epochs=12,
        batch_size=32,
        features=("returns", "volume", "news"),
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
        precision="bf16",
    ),
}
