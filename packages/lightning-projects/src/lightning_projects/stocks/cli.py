"""The console script `lightning-stocks`: flags made from the config, nothing else."""

import sys

from dl_shared.cli import EvaluateVerb, RecipeVerb, TrainVerb, Verb, console_script
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf
from dl_shared.tuning import TuneOptions
from lightning_projects.stocks.config import PRESETS

PACKAGE = "lightning_projects.stocks"

main = console_script(
    "lightning-stocks",
    "Multi-horizon price forecasts with an LSTM in PyTorch Lightning.",
    TrainVerb(function=f"{PACKAGE}.train:train", presets=PRESETS),
    EvaluateVerb(function=f"{PACKAGE}.predict:evaluate", options=EvaluateStocks),
    Verb(
        name="forecast",
        help="Forecast days that nobody knows yet, or days that have come since.",
        function=f"{PACKAGE}.predict:forecast",
        options=ForecastAsOf,
    ),
    RecipeVerb(
        name="tune",
        help="Search learning rate, weight decay, dropout, width and depth on validation loss.",
        function=f"{PACKAGE}.tune:search",
        options=TuneOptions,
        presets=PRESETS,
    ),
)

if __name__ == "__main__":
    sys.exit(main(None))
