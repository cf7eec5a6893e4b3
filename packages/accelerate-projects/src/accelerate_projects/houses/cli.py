"""The console script `accelerate-houses`: flags made from the config, nothing else."""

import sys

from accelerate_projects.houses.config import COMPARE_PRESETS, PRESETS
from accelerate_projects.houses.options import ExploreOptions, PredictOptions
from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tuning import TuneOptions

PACKAGE = "accelerate_projects.houses"

main = console_script(
    "accelerate-houses",
    "House prices by a linear model trained with Hugging Face Accelerate, beside other models.",
    Verb(
        name="explore",
        help="Write a page of what the houses are like.",
        function=f"{PACKAGE}.explore:explore",
        options=ExploreOptions,
    ),
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate"),
    Verb(
        name="predict",
        help="Prices of houses that have none yet; a submission file for Kaggle.",
        function=f"{PACKAGE}.predict:predict",
        options=PredictOptions,
    ),
    TrainVerb(
        name="compare",
        help="Other models beside the linear one, under nested cross-validation, and their blend.",
        function=f"{PACKAGE}.compare:compare",
        presets=COMPARE_PRESETS,
    ),
    RecipeVerb(
        name="tune",
        help="Search groups of columns, penalty, threshold and trimming by cross-validation.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
