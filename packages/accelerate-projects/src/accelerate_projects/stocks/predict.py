"""A finished run, applied to other companies, to days ahead of the last one known, and to days that came since."""

from pathlib import Path
from typing import Any

from accelerate_projects import checkpoints
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import load_company, load_data
from accelerate_projects.stocks.model import Forecaster
from accelerate_projects.stocks.options import EvaluateOptions, ForecastNews
from accelerate_projects.stocks.train import Predictor
from dl_shared.runs import read_config
from dl_shared.tasks import stocks_forecast
from dl_shared.tasks.stocks_outputs import Outputs, load_outputs


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a run on other data from the first day of its own test period on; kept under RUN/evaluations/."""
    run = Path(options.run)
    config, network, outputs = load_run(run)
    data = load_data(
        config,
        headlines=options.headlines,
        source=options.data,
        tickers=options.tickers,
        cuts=stocks_forecast.own_cuts(run),
        scaler=outputs.scaler,
    )
    return stocks_forecast.evaluate(run, data, outputs, network)


def forecast(options: ForecastNews) -> list[dict[str, Any]]:
    """A row for each day ahead, and a picture in RUN/plots, see `dl_shared.tasks.stocks_forecast.forecast`."""
    config, network, outputs = load_run(Path(options.run))
    history = load_company(
        config, options.ticker, headlines=options.headlines, source=options.data, exogenous=options.exogenous
    )
    return stocks_forecast.forecast(options, config, history, outputs, network)


def load_run(run: Path) -> tuple[Config, Predictor, Outputs]:
    """The options of a finished run, its best network, and what turns the network's outputs into forecasts.

    Raises:
        InputError: if the run is not finished, or a file of it is damaged.
    """
    config, outputs = read_config(run, Config), load_outputs(run)
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    network = Forecaster(config, features=len(outputs.features))
    checkpoints.load_weights(path, network, parts.get("model", {}))
    return config, Predictor(network), outputs
