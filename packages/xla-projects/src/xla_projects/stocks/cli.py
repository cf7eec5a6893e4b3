"""The console script `xla-stocks`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf, SearchStocks
from xla_projects.options import SetupOptions
from xla_projects.stocks.config import PRESETS
from xla_projects.stocks.options import CompareOptions

PACKAGE = "xla_projects.stocks"

main = console_script(
    "xla-stocks",
    "Multi-horizon price forecasts by recurrent networks that are scanned, with PyTorch/XLA.",
    Verb(
        name="setup",
        help="Find the devices, compile and run one step, and say what is missing.",
        function="xla_projects.setup:setup",
        options=SetupOptions,
    ),
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateStocks),
    Verb(
        name="forecast",
        help="Forecast days that nobody knows yet, or days that have come since.",
        function=f"{PACKAGE}.predict:forecast",
        options=ForecastAsOf,
    ),
    RecipeVerb(
        name="compare",
        help="What windows, indicators and kinds of cells are worth, beside ARIMA and the classical methods.",
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
