"""The console script `accelerate-cifar10`: flags made from the config, nothing else."""

import sys

from accelerate_projects.cifar10.config import PRESETS, PRETRAIN_PRESETS
from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import ClassifyImages, CompareLabelsOptions, CompareOptions
from dl_shared.tuning import TuneOptions

PACKAGE = "accelerate_projects.cifar10"

main = console_script(
    "accelerate-cifar10",
    "Image classification: a pretrained ResNet, fine-tuned in mixed precision with Hugging Face Accelerate.",
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
        help="Search learning rates, decay, smoothing, crop and averaging on validation accuracy.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="compare-precision",
        help="Measure time, memory and accuracy of each number format.",
        function=f"{PACKAGE}.compare:compare_precision",
        options=CompareOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="compare-augmentation",
        help="Measure what each augmentation adds.",
        function=f"{PACKAGE}.compare:compare_augmentation",
        options=CompareOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="compare-labels",
        help="Measure what the backbone adds, at several shares of the labels.",
        function=f"{PACKAGE}.compare:compare_labels",
        options=CompareLabelsOptions,
        presets=PRESETS,
    ),
    TrainVerb(
        name="pretrain",
        help="Train a small ResNet from random weights, to be fine-tuned later.",
        function=f"{PACKAGE}.pretrain:pretrain",
        presets=PRETRAIN_PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
