"""The console script `flax-cifar10`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import ClassifyImages
from dl_shared.tuning import TuneOptions
from flax_projects.cifar10.config import PRESETS

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
        options=ClassifyImages,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, weight decay, label smoothing, dropout and augmentation on validation accuracy.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
