"""Options of the verbs other than `train`; imports no framework, so that --help is instant."""

from dataclasses import dataclass

from dl_shared.cli import EvaluateOptions
from dl_shared.tasks.options import ClassifyImages


@dataclass(frozen=True, kw_only=True)
class EvaluateGrid(EvaluateOptions):
    """Score a network of a run on other data; kept under RUN/evaluations/."""

    dataset: str
    """Of the run: whose classes are told apart."""
    architecture: str | None = None
    """Of the run; the one with the best validation accuracy unless given."""


@dataclass(frozen=True, kw_only=True)
class PredictOptions(ClassifyImages):
    """Classify image files with a network of a run."""

    dataset: str
    """Of the run: whose classes are told apart."""
    architecture: str | None = None
    """Of the run; the one with the best validation accuracy unless given."""
