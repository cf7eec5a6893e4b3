"""The console script `flax-cifar10`: flags made from the config, nothing else."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import EvaluateVerb, RunOptions, TrainVerb, Verb, console_script
from dl_shared.tuning import TuneOptions
from flax_projects.cifar10.config import PRESETS


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Classify image files with a finished run."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """Image files of any size; each is cut to its middle square and scaled to 32 x 32 pixels."""

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("give at least one image file")


@dataclass(frozen=True, kw_only=True)
class TuneCifar10(TuneOptions):
    """Search learning rate, weight decay, label smoothing, dropout and augmentation on validation accuracy."""

    preset: str = "quick"
    """The recipe to start from."""
    data: str = "sample"
    """`sample`, `hub` or a path."""
    epochs: int | None = None
    """Passes over the training images in each trial (default: the preset's)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {self.preset!r}")
        if self.epochs is not None and self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")


PACKAGE = "flax_projects.cifar10"

main = console_script(
    "flax-cifar10",
    "Image classification with a convolutional network in Flax NNX.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    Verb(
        name="predict",
        help="Classify image files.",
        function=f"{PACKAGE}.predict:predict",
        options=PredictOptions,
    ),
    Verb(
        name="tune",
        help="Search for better options.",
        function=f"{PACKAGE}.tune:search",
        options=TuneCifar10,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
