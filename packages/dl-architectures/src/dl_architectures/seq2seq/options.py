"""Options of the verbs other than `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_architectures.seq2seq.config import AttentionName
from dl_shared.cli import EvaluateOptions, RunOptions
from dl_shared.config import Device
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class EvaluateSequences(EvaluateOptions):
    """Score a finished run on other data; kept under RUN/evaluations/."""

    data: str = "sample"
    """`sample`, or a text or CSV file with one integer sequence a line."""
    min_length: int | None = None
    """Of sample data: the shortest sequence (default: that of the run)."""
    max_length: int | None = None
    """Of sample data: the longest sequence (default: that of the run)."""
    count: int = 10_000
    """Of sample data: how many sequences."""
    seed: int = 1
    """Of sample data. With the run's own seed, sequences it was trained on come back."""
    beam: int = 1
    """Beginnings kept while searching; 1 is greedy decoding."""
    device: Device = "auto"
    """Where to compute."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "min_length", "max_length", "count", "beam")
        check(self, NOT_NEGATIVE, "seed")


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Reverse sequences given on the command line."""

    sequences: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SEQUENCE")]
    """Integers in quotes, apart by spaces or commas: "3 1 4 1 5"."""
    beam: int = 1
    """Beginnings kept while searching; 1 is greedy decoding."""
    device: Device = "auto"
    """Where to compute."""

    def __post_init__(self) -> None:
        if not self.sequences:
            raise ValueError('give at least one sequence, such as "3 1 4 1 5"')
        check(self, AT_LEAST_1, "beam")


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train each attention under one budget, and hold them side by side beyond the lengths trained on."""

    attentions: tuple[AttentionName, ...] = ("bahdanau", "luong", "location")
    """Which to compare."""
    seeds: int = 1
    """Trainings of each, with seeds 0, 1, ..."""
    output: Path = Path("seq2seq-comparison")
    """Folder of the table and the picture."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "seeds")
        if not self.attentions:
            raise ValueError("give at least one attention to compare")
