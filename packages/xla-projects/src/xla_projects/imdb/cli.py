"""The console script `xla-imdb`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import JudgeReviews
from dl_shared.tuning import TuneOptions
from xla_projects.imdb.config import PRESETS
from xla_projects.imdb.options import CompareOptions
from xla_projects.options import SetupOptions

PACKAGE = "xla_projects.imdb"

main = console_script(
    "xla-imdb",
    "Sentiment of film reviews with a fine-tuned transformer in PyTorch/XLA.",
    Verb(
        name="setup",
        help="Find the devices, and compute on them.",
        function="xla_projects.setup:setup",
        options=SetupOptions,
    ),
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    Verb(
        name="predict",
        help="Say of reviews whether they are positive.",
        function=f"{PACKAGE}.predict:predict",
        options=JudgeReviews,
    ),
    RecipeVerb(
        name="compare",
        help="Train several models under one recipe.",
        function=f"{PACKAGE}.compare:compare",
        options=CompareOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, its decay by layer, weight decay, warm-up and dropout on validation F1.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
