"""Options of the verb `compare`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path

from xla_projects.stocks.config import Cell


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train recipes that differ in one part each, and test them on the same days, beside ARIMA and its like.

    Without `--lookbacks`, `--cells` and `--indicators` the recipe alone stands beside the classical methods.
    """

    lookbacks: tuple[int, ...] = ()
    """Days that the network sees, to compare with those of the recipe, such as 30 60 120."""
    cells: tuple[Cell, ...] = ()
    """Recurrent layers, to compare with that of the recipe."""
    indicators: bool = False
    """Leave out moving averages, volatility, RSI and MACD."""
    seeds: int = 3
    """Trainings of each recipe, that differ in their initial weights and the order of the data."""
    output: Path = Path("stocks-comparison")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds must be at least 1, got {self.seeds}")
        for days in self.lookbacks:
            if days < 1:
                raise ValueError(f"lookbacks must be at least 1, got {days}")
