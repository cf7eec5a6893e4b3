"""The console script `lightning-cifar10`: flags made from the config, nothing else."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from dl_shared.cli import EvaluateVerb, RecipeVerb, RunOptions, TrainVerb, Verb, console_script
from dl_shared.tuning import TuneOptions
from lightning_projects.cifar10.config import PRESETS


@dataclass(frozen=True, kw_only=True)
class PredictOptions(RunOptions):
    """Classify image files with a finished run."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="IMAGE")]
    """Image files of any size; each is cut to its middle square and scaled to 32 x 32 pixels."""

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("give at least one image file")


PACKAGE = "lightning_projects.cifar10"

main = console_script(
    "lightning-cifar10",
    "Image classification with a convolutional network in PyTorch Lightning.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    Verb(
        name="predict",
        help="Classify image files.",
        function=f"{PACKAGE}.predict:predict",
        options=PredictOptions,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, weight decay, label smoothing, dropout and cutout on validation accuracy.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
