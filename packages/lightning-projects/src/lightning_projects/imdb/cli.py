"""The console script `lightning-imdb`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import JudgeReviews
from dl_shared.tuning import TuneOptions
from lightning_projects.imdb.config import PRESETS
from lightning_projects.imdb.options import AttentionOptions, CompareOptions

PACKAGE = "lightning_projects.imdb"

main = console_script(
    "lightning-imdb",
    "Sentiment of film reviews with a fine-tuned transformer in PyTorch Lightning.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    Verb(
        name="predict",
        help="Classify reviews as positive or negative.",
        function=f"{PACKAGE}.predict:predict",
        options=JudgeReviews,
    ),
    Verb(
        name="attention",
        help="Show what the model attends to, and test whether that decides.",
        function=f"{PACKAGE}.attention:attend",
        options=AttentionOptions,
    ),
    RecipeVerb(
        name="compare",
        help="Train several models, or with several kinds of preprocessing, under one recipe.",
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
