"""The console script `accelerate-stocks`: flags made from the config, nothing else."""

import sys

from accelerate_projects.stocks.config import PRESETS
from accelerate_projects.stocks.options import CompareOptions, EvaluateOptions, ForecastNews
from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import SearchStocks

PACKAGE = "accelerate_projects.stocks"

main = console_script(
    "accelerate-stocks",
    "Multi-horizon price forecasts, with news, by recurrent networks in Hugging Face Accelerate.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateOptions),
    Verb(
        name="forecast",
        help="Forecast days that nobody knows yet, or days that have come since.",
        function=f"{PACKAGE}.predict:forecast",
        options=ForecastNews,
    ),
    RecipeVerb(
        name="compare",
        help="What headlines, groups of features and kinds of network are worth.",
        function=f"{PACKAGE}.compare:compare",
        options=CompareOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="tune",
        help="Search network and training on validation days, and say what the winner is worth.",
        function=f"{PACKAGE}.tune:search",
        options=SearchStocks,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
