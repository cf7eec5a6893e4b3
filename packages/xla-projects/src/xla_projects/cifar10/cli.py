"""The console script `xla-cifar10`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import ClassifyImages, CompareLabelsOptions
from dl_shared.tuning import TuneOptions
from xla_projects.cifar10.config import PRESETS
from xla_projects.options import SetupOptions

PACKAGE = "xla_projects.cifar10"

main = console_script(
    "xla-cifar10",
    "Image classification: a pretrained ResNet, fine-tuned by one compiled step with PyTorch/XLA.",
    Verb(
        name="setup",
        help="Find the devices, compile and run one step, and say what is missing.",
        function="xla_projects.setup:setup",
        options=SetupOptions,
    ),
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
        help="Search learning rates, decay, warm-up and crop on validation accuracy.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="compare-labels",
        help="Measure what the backbone adds, at several shares of the labels.",
        function=f"{PACKAGE}.compare:compare_labels",
        options=CompareLabelsOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
