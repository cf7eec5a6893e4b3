"""Options of verbs that every project of a task has; imports no task, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import EvaluateOptions, RunOptions
from dl_shared.ranges import AT_LEAST_1, SHARE, check
from dl_shared.tuning import TuneOptions

LABEL_SHARES = (0.01, 0.1, 1.0)


@dataclass(frozen=True, kw_only=True)
class ClassifyImages(RunOptions):
    """Classify image files with a finished run."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """Image files of any size; each is cut to its middle square and scaled to 32 x 32 pixels."""

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("give at least one image file")


@dataclass(frozen=True, kw_only=True)
class JudgeReviews(RunOptions):
    """Classify reviews as positive or negative with a finished run."""

    reviews: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="REVIEW")] = ()
    """Texts; `-` reads one review from each line of stdin."""
    files: tuple[Path, ...] = ()
    """Text files in UTF-8, one review in each."""

    def __post_init__(self) -> None:
        if not self.reviews and not self.files:
            raise ValueError("give a review, `-` for stdin, or --files")


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
        check(self, AT_LEAST_1, "shown_days")


@dataclass(frozen=True, kw_only=True)
class ForecastAsOf(ForecastOptions):
    """Forecast the days after the last one known, or after an earlier one, with a picture in RUN/plots."""

    as_of: str | None = None
    """A day of the test period or later, such as 2022-12-30: forecast from it alone, beside what came."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Where the results of a comparison go."""

    output: Path = Path("comparison")
    """Folder for comparison.csv, comparison.png and index.html."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class CompareLabelsOptions(CompareOptions):
    """Which shares of the labels are compared, and where the results go."""

    shares: tuple[float, ...] = LABEL_SHARES
    """Of the training labels."""

    def __post_init__(self) -> None:
        check(self, SHARE, "shares")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError(f"shares must differ, got {self.shares}")


@dataclass(frozen=True, kw_only=True)
class SearchStocks(TuneOptions):
    """Search on validation days, deflate the winner for the search, then test it once."""

    test: bool = True
    """Train the winner as a run and test it, unless this study has been tested before."""
