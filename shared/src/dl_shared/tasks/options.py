"""Options of verbs that every project of a task has; imports no task, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import EvaluateOptions, RunOptions


@dataclass(frozen=True, kw_only=True)
class ClassifyImages(RunOptions):
    """Classify image files with a finished run."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """Image files of any size; each is cut to its middle square and scaled to 32 x 32 pixels."""

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("give at least one image file")


@dataclass(frozen=True, kw_only=True)
class EvaluateStocks(EvaluateOptions):
    """Score a finished run on other companies, in its own test period; kept under RUN/evaluations/."""

    tickers: tuple[str, ...] = ()
    """Companies to score; none given takes all that the data hold."""


@dataclass(frozen=True, kw_only=True)
class ForecastOptions(RunOptions):
    """Forecast the days after the last one known, with a picture in RUN/plots."""

    ticker: str
    """The company; it need not be one that was trained on."""
    data: str | None = None
    """`sample`, `hub` or a path (default: the data of the run)."""
    exogenous: str | None = None
    """A newer CSV of dated series, for a run that was trained with one (default: the run's)."""
    shown_days: int = 60
    """Of history in the picture."""

    def __post_init__(self) -> None:
        if self.shown_days < 1:
            raise ValueError(f"shown_days must be at least 1, got {self.shown_days}")


@dataclass(frozen=True, kw_only=True)
class ForecastAsOf(ForecastOptions):
    """Forecast the days after the last one known, or after an earlier one, with a picture in RUN/plots."""

    as_of: str | None = None
    """A day of the test period or later, such as 2022-12-30: forecast from it alone, beside what came."""
