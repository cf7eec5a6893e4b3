"""The console script `flax-stocks`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import EvaluateStocks, ForecastOptions
from dl_shared.tuning import TuneOptions
from flax_projects.stocks.config import PRESETS
from flax_projects.stocks.options import BacktestOptions, CompareOptions

PACKAGE = "flax_projects.stocks"

main = console_script(
    "flax-stocks",
    "Multi-horizon price forecasts with a Transformer in Flax NNX.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateStocks),
    Verb(
        name="forecast",
        help="Forecast days that nobody knows yet.",
        function=f"{PACKAGE}.predict:forecast",
        options=ForecastOptions,
    ),
    RecipeVerb(
        name="backtest",
        help="Train and test over successive periods.",
        function=f"{PACKAGE}.backtest:backtest",
        options=BacktestOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="compare",
        help="What each group of inputs and each choice is worth.",
        function=f"{PACKAGE}.compare:compare",
        options=CompareOptions,
        presets=PRESETS,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, size, dropout and more on validation pinball loss.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
