"""From prices to a finished run: data, the loop, calibration on validation data, one test at the end."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dl_shared.data.draws import Draws
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.schedules import warmup_cosine
from dl_shared.tasks import stocks, stocks_forecast
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_tuning import Watch
from xla_projects import checkpoints
from xla_projects.device import Device, start_device
from xla_projects.keeper import Keeper
from xla_projects.optimizer import make_adamw, set_rates
from xla_projects.processes import start_run
from xla_projects.stocks.config import Config
from xla_projects.stocks.data import TrainWindows, load_data
from xla_projects.stocks.model import Forecaster
from xla_projects.stocks.predict import Predictor

PROJECT = "xla-stocks"


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, calibrate, test once, report; returns the run directory. Hosts other than the first end here.

    Args:
        config: of the run.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    device = start_device(config)
    with start_run(
        device,
        PROJECT,
        config,
        task="stocks",
        framework="xla",
        primary="mae",
        higher_is_better=False,
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = load_data(config)
        stocks.record_data(run, data)
        for note in () if run.follows else data.notes:
            say(note)
        outputs = Outputs.of(data, LEVELS, rate=config.adaptation)
        predictor = fit(config, data, outputs, run, device)
        if run.follows:
            raise SystemExit(0)
        stocks_forecast.report_test(run, data, outputs, predictor)
    return run.path


def fit(
    config: Config, data: stocks.Data, outputs: Outputs, run: Run, device: Device, watch: Watch | None = None
) -> Predictor:
    """Train to the end, from the last checkpoint if there is one; returns the network of the best epoch.

    Args:
        config: of the run.
        data: its training part is learned from, and its validation part scored after each epoch.
        outputs: defines the units of the forecasts.
        run: keeps checkpoints and scores.
        device: that trains.
        watch: called after each epoch with its number, from 1, and the errors of the validation forecasts.

    Raises:
        InputError: if there are fewer training windows than one batch, or training diverges.
    """
    windows = TrainWindows(data, outputs, device)
    draws = Draws(len(windows), config.batch_size, config.seed)
    steps_per_epoch = draws.steps_per_epoch // config.stride
    if steps_per_epoch == 0:
        raise InputError(
            f"one in {config.stride} of {len(windows)} training windows make no batch of {config.batch_size};"
            " use a smaller --batch-size, --stride or --lookback"
        )
    updates = config.epochs * steps_per_epoch
    torch.manual_seed(config.seed)  # the initial weights
    network = device.to(Forecaster(config, features=len(data.features)))
    optimizer = make_optimizer(device, config, network)
    train_step = make_train_step(network, optimizer, windows, device, clip=config.clip)
    predictor = Predictor(network, device)
    keeper = Keeper(
        device,
        config,
        run,
        network,
        optimizer,
        steps_per_epoch=steps_per_epoch,
        batch_size=config.batch_size,
        unit="windows",
        metric="skill",
        higher_is_better=True,
        sums=3,
    )
    truth = outputs.from_returns(data.validation.targets, data.volatility("validation"))

    with keeper.working():
        for epoch in range(keeper.epoch, config.epochs):
            network.train()
            for step in keeper.remaining(epoch):
                update = epoch * steps_per_epoch + step
                ends = windows.ends[batch_rows(draws, update)]
                rates = np.full(2, config.learning_rate * warmup_cosine(update, updates, config.warmup), np.float32)
                keeper.after_step(train_step(keeper.sums, device.put(rates), device.put(ends, split=True)))
            trained = scores(*keeper.train_sums())
            errors = stocks_forecast.predict(predictor, data.validation) - truth
            keeper.after_epoch(trained, scores(np.abs(errors).sum(), np.abs(truth).sum(), float(errors.size)))
            if watch is not None:
                watch(epoch + 1, errors)

    keeper.record_cost()
    best, _ = checkpoints.load(keeper.best)
    checkpoints.load_weights(device, keeper.best, network, best["model"])
    return predictor


def make_train_step(
    network: Forecaster, optimizer: torch.optim.Optimizer, windows: TrainWindows, device: Device, *, clip: float
) -> Callable[..., Float[Tensor, "3"]]:
    """One update by the mean absolute error of the forecasts of all days of some windows, as one graph.

    Args:
        network: on the device, in training mode.
        optimizer: of `make_adamw`.
        windows: to learn from.
        device: that trains.
        clip: largest norm of the gradient.
    """

    def train_step(
        sums: Float[Tensor, "3"], rates: Float[Tensor, " groups"], ends: Int[Tensor, " batch"]
    ) -> Float[Tensor, "3"]:
        set_rates(optimizer, rates)
        optimizer.zero_grad()
        inputs, targets = windows.gather(ends)
        with device.autocast():
            outputs = network(inputs)
        loss = (outputs.float() - targets).abs().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimizer.step()
        batch = torch.stack([loss.detach(), targets.abs().mean(), torch.ones_like(loss.detach())])
        return sums + len(ends) * batch

    return device.compiled(train_step)


def make_optimizer(device: Device, config: Config, network: Forecaster) -> torch.optim.AdamW:
    """AdamW; biases do not decay."""
    params = list(network.parameters())
    groups = [
        {"params": [param for param in params if param.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [param for param in params if param.ndim == 1], "weight_decay": 0.0},
    ]
    return make_adamw(device, groups)


def batch_rows(draws: Draws, update: int) -> Int[np.ndarray, " batch"]:
    """The windows of an update; updates go through all windows pass after pass, and a pass takes several epochs."""
    number, step = divmod(update, draws.steps_per_epoch)
    return draws.batch(number, step) % draws.rows


def scores(absolute: float, persistence: float, count: float) -> dict[str, float]:
    """`loss`, the mean absolute error, and `skill`, 1 - loss / that of persistence.

    Both are of log returns in the network's units, in which each day ahead and each volatility count the same.
    """
    return {"loss": float(absolute / count), "skill": float(1 - absolute / max(persistence, 1e-12))}
