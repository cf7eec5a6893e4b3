"""Options of the verbs beside `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import RunOptions


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Predict the prices of houses that have none yet."""

    houses: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CSV")]
    """Kaggle's test.csv, or another file in its columns."""
    output: Path | None = None
    """Where to write Kaggle's submission file, with the columns Id and SalePrice."""
    model: str | None = None
    """One of the models of a comparison (default: their blend)."""


@dataclass(frozen=True, kw_only=True)
class ExploreOptions:
    """Show on one page what the houses are like."""

    data: str
    """`sample`, or Kaggle's train.csv or the folder that holds it."""
    output: Path | None = None
    """Where the page goes (default: accelerate-houses/exploration.html under the runs directory)."""
    seed: int = 0
    """Seed of the runs whose training houses are shown."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""
