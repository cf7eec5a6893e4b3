"""The run around the training: data, network, calibration on validation data, one test at the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int

from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import stocks, stocks_forecast
from lightning_projects.checkpoints import fill_in
from lightning_projects.fitting import fit
from lightning_projects.processes import start_run
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.data import StocksData
from lightning_projects.stocks.model import Forecaster
from lightning_projects.stocks.module import Regressor

PROJECT = "lightning-stocks"
MONITOR = "validation/loss"
PREDICTED_AT_ONCE = 2048


class Predictor:
    """A trained network on its device, applied to any number of windows.

    Args:
        network: ready to predict.
        device: where to compute; in float32, whatever the training was in.
    """

    def __init__(self, network: Forecaster, device: torch.device) -> None:
        self.network, self.device = network.to(device), device

    @torch.inference_mode()
    def __call__(
        self, values: Float32[np.ndarray, "rows features"], ends: Int[np.ndarray, " windows"], lookback: int
    ) -> Float32[np.ndarray, "windows horizon"]:
        """What the network puts out on the last day of windows of scaled features, given by the rows where they end."""
        series, back = torch.from_numpy(values).to(self.device), torch.arange(1 - lookback, 1)
        chunks = torch.from_numpy(ends).split(PREDICTED_AT_ONCE)
        return np.concatenate([self.network.forecast(series[rows[:, None] + back]).cpu().numpy() for rows in chunks])


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, calibrate, test once, report; returns the run directory. A process that follows another ends here.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    options: dict[str, Any] = {"task": "stocks", "framework": "lightning", "primary": "mae", "higher_is_better": False}
    with start_run(PROJECT, config, **options, runs_dir=runs_dir, resume=resume) as run:
        data = stocks.load_data(config)
        stocks.record_data(run, data)
        for note in data.notes:
            say(note)
        datamodule = StocksData(config, data)
        network, device = fit_network(config, datamodule, run)
        if run.follows:  # what is left is for one process
            raise SystemExit(0)
        stocks_forecast.report_test(run, data, datamodule.outputs, Predictor(network, device))
    return run.path


def fit_network(config: Config, datamodule: StocksData, run: Run) -> tuple[Forecaster, torch.device]:
    """The network of the best epoch, and the device on which it was trained."""
    module, data = make_module(config, datamodule), datamodule.data
    say(f"{len(data.train):,} training windows of {len(data.train.tickers)} companies, {config.precision}")
    best = fit(module, datamodule, config, run, monitor=MONITOR, mode="min")
    device = module.trainer.strategy.root_device
    return restore_network(config, best, len(data.features)), device


def make_module(config: Config, datamodule: StocksData) -> Regressor:
    """The module before its first step."""
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)  # the initial weights
    network = Forecaster(config, features=len(datamodule.data.features))
    return Regressor(config, network, config.epochs * datamodule.steps_per_epoch)


def restore_network(config: Config, checkpoint: Mapping[str, Any], features: int) -> Forecaster:
    """The network of a checkpoint, ready to predict.

    Raises:
        InputError: if the weights are of another network.
    """
    network = Forecaster(config, features=features)
    fill_in(network, checkpoint)
    return network.eval()
