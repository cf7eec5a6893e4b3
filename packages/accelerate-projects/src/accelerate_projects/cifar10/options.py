"""Options of the verbs that compare, beside those of the configuration."""

from dataclasses import dataclass
from pathlib import Path

SHARES = (0.01, 0.1, 1.0)


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Where the comparison goes."""

    output: Path = Path("comparison")
    """Folder for comparison.csv, comparison.png and index.html."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""


@dataclass(frozen=True, kw_only=True)
class CompareLabelsOptions(CompareOptions):
    """Which shares of the labels are compared, and where the comparison goes."""

    shares: tuple[float, ...] = SHARES
    """Of the training labels."""

    def __post_init__(self) -> None:
        if not self.shares or not all(0 < share <= 1 for share in self.shares):
            raise ValueError(f"shares must be above 0 and at most 1, got {self.shares}")
        if len(set(self.shares)) < len(self.shares):
            raise ValueError(f"shares must differ, got {self.shares}")
