"""Options of the verb `compare`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path

from dl_shared.ranges import AT_LEAST_1, check
from xla_projects.stocks.config import Cell


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train recipes that differ in one part each, and test them and the classical methods on the same days.

    Without `--lookbacks`, `--cells` and `--indicators` the recipe is compared with the classical methods alone.
    """

    lookbacks: tuple[int, ...] = ()
    """Windows, in days, to compare with that of the recipe, such as 30 60 120."""
    cells: tuple[Cell, ...] = ()
    """Kinds of recurrent layers to compare with that of the recipe."""
    indicators: bool = False
    """Compare with the recipe without moving averages, volatility, RSI and MACD."""
    seeds: int = 3
    """Trainings of each recipe, which differ in initial weights and in the order of the data."""
    output: Path = Path("stocks-comparison")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "seeds")
        for days in self.lookbacks:
            if days < 1:
                raise ValueError(f"lookbacks must be at least 1, got {days}")
