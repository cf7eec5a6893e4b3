"""Options of the verbs beside `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path

from accelerate_projects.stocks.config import Cell
from dl_shared.ranges import AT_LEAST_1, check
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(EvaluateStocks):
    """Score a finished run on other companies, in its own test period; kept under RUN/evaluations/."""

    headlines: str | None = None
    """A CSV about these companies, for a run that was trained with headlines (default: the run's)."""


@dataclass(frozen=True, kw_only=True)
class ForecastNews(ForecastAsOf):
    """Forecast the days after the last one known, or after an earlier one, with a picture in RUN/plots."""

    headlines: str | None = None
    """A newer CSV, for a run that was trained with headlines (default: the run's)."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Measure what parts of a recipe are worth: train recipes that differ in one part, on one split at one budget.

    With `--cells` the kinds of layers are compared. Otherwise the headlines are left out if there are some, and with
    `--groups`, or without headlines, each group of features in turn.
    """

    cells: tuple[Cell, ...] = ()
    """Recurrent layers to compare."""
    groups: bool = False
    """Leave out each group of features in turn."""
    seeds: int = 3
    """Trainings of each recipe, which differ in initial weights and in the order of the data."""
    output: Path = Path("stocks-comparison")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "seeds")
        if len(self.cells) == 1 or len(set(self.cells)) < len(self.cells):
            raise ValueError("cells must name two kinds or three, each once")
