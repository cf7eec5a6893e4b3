"""The console script `lightning-stocks`: flags made from the config, nothing else."""

import sys
from dataclasses import dataclass

from dl_shared.cli import EvaluateOptions, EvaluateVerb, RecipeVerb, RunOptions, TrainVerb, Verb, console_script
from dl_shared.tuning import TuneOptions
from lightning_projects.stocks.config import PRESETS


@dataclass(frozen=True, kw_only=True)
class EvaluateStocks(EvaluateOptions):
    """Score a finished run on other companies, in its own test period; kept under RUN/evaluations/."""

    tickers: tuple[str, ...] = ()
    """Companies to score; none given takes all that the data hold."""


@dataclass(frozen=True, kw_only=True)
class ForecastOptions(RunOptions):
    """Forecast the days after the last one known, or after an earlier one, with a picture in RUN/plots."""

    ticker: str
    """The company; it need not be one that was trained on."""
    as_of: str | None = None
    """A day of the test period or later, such as 2022-12-30: forecast from it alone, beside what came."""
    data: str | None = None
    """`sample`, `hub` or a path (default: the data of the run)."""
    exogenous: str | None = None
    """A newer CSV of dated series, for a run that was trained with one (default: the run's)."""
    shown_days: int = 60
    """Of history in the picture."""

    def __post_init__(self) -> None:
        if self.shown_days < 1:
            raise ValueError(f"shown_days must be at least 1, got {self.shown_days}")


PACKAGE = "lightning_projects.stocks"

main = console_script(
    "lightning-stocks",
    "Multi-horizon price forecasts with an LSTM in PyTorch Lightning.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateStocks),
    Verb(
        name="forecast",
        help="Forecast days that nobody knows yet, or days that have come since.",
        function=f"{PACKAGE}.predict:forecast",
        options=ForecastOptions,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, weight decay, dropout, width and depth on validation loss.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
