"""Options of the verbs other than `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dl_shared.ranges import AT_LEAST_1, check

Part = Literal["features", "normalization", "positions", "members"]


@dataclass(frozen=True, kw_only=True)
class BacktestOptions:
    """Train anew before each of several periods and test in it: a rolling origin."""

    folds: int = 4
    """Periods, the last one ending with the data."""
    test_days: int = 252
    """Trading days of a period."""
    validation_days: int = 504
    """Trading days before it, which choose the epoch and calibrate the intervals."""
    train_days: int | None = None
    """Trading days before those to train on (default: all the past)."""
    output: Path = Path("stocks-backtest")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "folds", "test_days", "validation_days")


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train the recipe whole, and again with parts of it left out or exchanged, at one budget: what each is worth."""

    parts: tuple[Part, ...] = ("features", "normalization", "positions", "members")
    """Which parts to vary."""
    output: Path = Path("stocks-comparison")
    """Folder of the table and the picture."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("give at least one part to vary")
