"""A network, applied to windows; and a finished run, applied to other companies and to days not known yet."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from dl_shared.runs import read_config
from dl_shared.tasks import stocks, stocks_forecast
from dl_shared.tasks.options import EvaluateStocks, ForecastAsOf
from dl_shared.tasks.stocks_outputs import Outputs, load_outputs
from xla_projects import checkpoints
from xla_projects.device import Device, fetch, start_device
from xla_projects.stocks.config import Config
from xla_projects.stocks.data import days_back, load_data
from xla_projects.stocks.model import Forecaster

PREDICTED_AT_ONCE = 1024


class Predictor:
    """A network, applied to any number of windows, in batches of one size; in float32, whatever it was trained in.

    Validation and test call the same compiled function. Histories stay on the device from call to call.

    Args:
        network: on the device.
        device: where it is.
    """

    def __init__(self, network: Forecaster, device: Device) -> None:
        self.network, self.device = network, device
        self.at_once = -(-PREDICTED_AT_ONCE // device.count) * device.count
        self.forecast = device.compiled(self._forecast)
        self.histories: tuple[np.ndarray, Tensor] | None = None

    def __call__(
        self, values: Float32[np.ndarray, "rows features"], ends: Int[np.ndarray, " windows"], lookback: int
    ) -> Float32[np.ndarray, "windows horizon"]:
        """What the network puts out on the last day of each window.

        Args:
            values: scaled features of all days.
            ends: the row of the last day of each window.
            lookback: days of a window.
        """
        if self.histories is None or self.histories[0] is not values:
            self.histories = values, self.device.put(values)
        self.network.eval()
        back, found = days_back(lookback, self.device), []
        for first in range(0, len(ends), self.at_once):
            part = ends[first : first + self.at_once]
            padded = np.concatenate([part, np.full(self.at_once - len(part), part[-1])])
            outputs = self.forecast(self.histories[1], back, self.device.put(padded, split=True))
            found.append(fetch(outputs)[: len(part)])
        return np.concatenate(found)

    @torch.no_grad()
    def _forecast(
        self,
        values: Float[Tensor, "rows features"],
        back: Int[Tensor, " days"],
        ends: Int[Tensor, " batch"],
    ) -> Float[Tensor, "batch horizon"]:
        return self.network.forecast(values[back[:, None] + ends])


def evaluate(options: EvaluateStocks) -> dict[str, Any]:
    """Score a run on other data from the first day of its own test period on; kept under RUN/evaluations/."""
    run = Path(options.run)
    config, network, outputs = load_run(run)
    data = load_data(
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
    """The options of a finished run, its best network on one device, and what turns its outputs into forecasts.

    Raises:
        InputError: if the run is not finished, or a file of it is damaged.
    """
    config, outputs = read_config(run, Config), load_outputs(run)
    device = start_device(replace(config, device="auto", devices=1))
    path = run / "checkpoints" / "best.safetensors"
    parts, _ = checkpoints.load(path)
    network = device.to(Forecaster(config, features=len(outputs.features)))
    checkpoints.load_weights(device, path, network, parts.get("model", {}))
    return config, Predictor(network, device), outputs
