"""A finished run, applied to other companies, and to days that nobody knows yet or that have come since."""

from pathlib import Path
from typing import Any

import torch

from dl_shared.runs import read_config
from dl_shared.tasks import stocks, stocks_forecast
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf
from dl_shared.tasks.stocks_outputs import Outputs, load_outputs
from lightning_projects.checkpoints import load_best
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.train import Predictor, restore_network


def evaluate(options: EvaluateStocks) -> dict[str, Any]:
    """Score a run on other data from the first day of its own test period on; kept under RUN/evaluations/."""
    run = Path(options.run)
    config, network, outputs = load_run(run)
    data = stocks.load_data(
        config,
        source=options.data,
        tickers=options.tickers,
        cuts=stocks_forecast.own_cuts(run),
        scaler=outputs.scaler,
    )
    return stocks_forecast.evaluate(run, data, outputs, network)


def forecast(options: ForecastAsOf) -> list[dict[str, Any]]:
    """A row for each day ahead, and a picture in RUN/plots, see `dl_shared.tasks.stocks_forecast.forecast`."""
    config, network, outputs = load_run(Path(options.run))
    history = stocks.load_company(config, options.ticker, source=options.data, exogenous=options.exogenous)
    return stocks_forecast.forecast(options, config, history, outputs, network)


def load_run(run: Path) -> tuple[Config, Predictor, Outputs]:
    """The options of a finished run, its best network, and what turns the network's outputs into forecasts.

    Raises:
        InputError: if the run is not finished, or a file of it is damaged.
    """
    config, outputs = read_config(run, Config), load_outputs(run)
    network = restore_network(config, load_best(run), len(outputs.features))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return config, Predictor(network, device), outputs
