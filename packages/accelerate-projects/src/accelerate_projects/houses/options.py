"""Options of the verbs of accelerate-houses, beside those of the configuration."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import RunOptions


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Prices of houses that have none yet, also as the file that Kaggle takes."""

    houses: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="CSV")]
    """Kaggle's test.csv, or another file in its columns."""
    output: Path | None = None
    """Where to write Kaggle's submission file, with the columns Id and SalePrice."""
