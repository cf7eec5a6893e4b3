"""Options of the verbs other than `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path

from accelerate_projects.stocks.config import Cell
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(EvaluateStocks):
    """Score a finished run on other companies, in its own test period; kept under RUN/evaluations/."""

    headlines: str | None = None
    """About these companies, for a run that was trained with headlines (default: the run's)."""


@dataclass(frozen=True, kw_only=True)
class ForecastNews(ForecastAsOf):
    """Forecast the days after the last one known, or after an earlier one, with a picture in RUN/plots."""

    headlines: str | None = None
    """A newer CSV, for a run that was trained with headlines (default: the run's)."""


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train recipes that differ in one part each, on one split and at one budget: what is each part worth?

    With `--headlines` the news are left out; with `--cells` the networks stand beside each other; with `--groups`, or
    with neither of the two, each group of features is left out in turn.
    """

    cells: tuple[Cell, ...] = ()
    """Recurrent layers to compare."""
    groups: bool = False
    """Leave out each group of features in turn."""
    seeds: int = 3
    """Trainings of each recipe, that differ in their initial weights and the order of the data."""
    output: Path = Path("stocks-comparison")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        if len(self.cells) == 1 or len(set(self.cells)) < len(self.cells):
            raise ValueError("cells must name two or three, each once")
