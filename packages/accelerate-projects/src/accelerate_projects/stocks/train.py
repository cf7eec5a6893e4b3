"""From prices to a finished run: data, the loop, calibration on validation data, one test at the end."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from jaxtyping import Float, Float32, Int
from torch import Tensor

from accelerate_projects import checkpoints
from accelerate_projects.batches import epoch_loader
from accelerate_projects.keeper import Keeper
from accelerate_projects.processes import make_accelerator, start_run
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import TrainWindows, load_data
from accelerate_projects.stocks.model import Forecaster
from dl_shared.errors import InputError
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.schedules import warmup_cosine
from dl_shared.tasks import stocks, stocks_forecast
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_tuning import Watch

PROJECT = "accelerate-stocks"
PREDICTED_AT_ONCE = 2048


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, calibrate, test once, report; returns the run directory. Processes other than the first end here.

    Args:
        config: of the run.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, headlines, device or the run to resume cannot be used.
    """
    accelerator = make_accelerator(config)
    with start_run(
        accelerator,
        PROJECT,
        config,
        task="stocks",
        framework="accelerate",
        primary="mae",
        higher_is_better=False,
        runs_dir=runs_dir,
        resume=resume,
    ) as run:
        data = load_data(config)
        stocks.record_data(run, data)
        for note in data.notes:
            say(note)
        outputs = Outputs.of(data, LEVELS, rate=config.adaptation)
        model = fit(config, data, outputs, run, accelerator)
        if run.follows:
            raise SystemExit(0)
        stocks_forecast.report_test(run, data, outputs, Predictor(model))
    return run.path


def fit(
    config: Config,
    data: stocks.Data,
    outputs: Outputs,
    run: Run,
    accelerator: Accelerator,
    watch: Watch | None = None,
) -> Forecaster:
    """Train to the end, from the last checkpoint if there is one; returns the network of the best epoch.

    Args:
        config: of the run.
        data: its training part is learned from, and its validation part scored after each epoch.
        outputs: defines the units of the forecasts.
        run: keeps checkpoints and scores.
        accelerator: as `make_accelerator` makes it.
        watch: called after each epoch with its number, from 1, and the errors of the validation forecasts.

    Raises:
        InputError: if there are fewer training windows than one batch, or training diverges.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    windows = TrainWindows(data, outputs, accelerator.device)
    loader = epoch_loader(
        windows, config.batch_size, seed=config.seed, accumulate=config.accumulate, stride=config.stride
    )
    updates = config.epochs * (len(loader) // config.accumulate)
    if updates == 0:
        raise InputError(
            f"one in {config.stride} of {len(windows)} training windows make no batch of {config.batch_size};"
            " use a smaller --batch-size, --stride or --lookback"
        )
    torch.manual_seed(config.seed)  # the initial weights
    model = Forecaster(config, features=len(data.features))
    optimizer = make_optimizer(config, model)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, updates, config.warmup))
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    keeper = Keeper(
        accelerator,
        config,
        run,
        model,
        optimizer,
        scheduler=scheduler,
        steps_per_epoch=updates // config.epochs,
        batch_size=config.batch_size,
        unit="windows",
        metric="skill",
        higher_is_better=True,
    )
    validation = data.validation
    truth = outputs.from_returns(validation.targets, data.volatility("validation"))

    with keeper.working():
        for epoch in range(keeper.epoch, config.epochs):
            loader.set_epoch(epoch)
            for batch in keeper.remaining(loader):
                with accelerator.accumulate(model):
                    predicted = model(batch.inputs)
                    # Processes have equal parts of the batch, so that the mean of their gradients is the batch's.
                    loss = F.mse_loss(predicted.float(), batch.targets)
                    accelerator.backward(loss)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(model.parameters(), config.clip)
                    optimizer.step()
                    scheduler.step()
                    optimizer.zero_grad()
                keeper.after_batch(error_sums(predicted, batch.targets))
            network = accelerator.unwrap_model(model)
            errors = stocks_forecast.predict(Predictor(network), validation) - truth
            network.train()
            keeper.after_epoch(scores(*keeper.train_sums()), scores(*as_sums(errors, truth)))
            if watch is not None:
                watch(epoch + 1, errors)
    keeper.record_cost()

    accelerator.wait_for_everyone()
    network = accelerator.unwrap_model(model)
    parts, _ = checkpoints.load(keeper.best)
    checkpoints.load_weights(keeper.best, network, parts["model"])
    return network.eval()


def make_optimizer(config: Config, model: Forecaster) -> torch.optim.AdamW:
    """AdamW; biases do not decay."""
    groups = [
        {"params": [param for param in model.parameters() if param.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [param for param in model.parameters() if param.ndim == 1], "weight_decay": 0.0},
    ]
    fused = config.precision != "fp16"  # a fused one would unscale the gradients after they were clipped
    return torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)


def error_sums(
    predicted: Float[Tensor, "*rows horizon"], targets: Float[Tensor, "*rows horizon"]
) -> Float[Tensor, "4"]:
    """Sums of squared errors, absolute errors and absolute targets; and the number of errors."""
    errors = (predicted.float() - targets).detach()
    count = torch.full((), float(errors.numel()), device=errors.device)
    return torch.stack([errors.square().sum(), errors.abs().sum(), targets.abs().sum(), count])


def as_sums(errors: Float[np.ndarray, "rows horizon"], targets: Float[np.ndarray, "rows horizon"]) -> list[float]:
    """The sums of `error_sums`, of arrays."""
    return [float((errors**2).sum()), float(np.abs(errors).sum()), float(np.abs(targets).sum()), float(errors.size)]


def scores(squared: float, absolute: float, persistence: float, count: float) -> dict[str, float]:
    """`loss`, the mean squared error, and `skill`, 1 - mean absolute error / that of persistence.

    Both are of log returns in the network's units, in which each day ahead and each volatility count the same.
    """
    return {"loss": squared / count, "skill": 1 - absolute / max(persistence, 1e-12)}


class Predictor:
    """A trained network, applied to any number of windows; in float32, whatever the number format of the training.

    Args:
        network: on its device.
    """

    def __init__(self, network: Forecaster) -> None:
        self.network = network.eval()
        self.device = network.heads.weight.device

    @torch.inference_mode()
    def __call__(
        self, values: Float32[np.ndarray, "rows features"], ends: Int[np.ndarray, " windows"], lookback: int
    ) -> Float32[np.ndarray, "windows horizon"]:
        """What the network puts out on the last day of each window.

        Args:
            values: scaled features of all days.
            ends: the row of the last day of each window.
            lookback: days of a window.
        """
        series, back = torch.from_numpy(values).to(self.device), torch.arange(1 - lookback, 1)
        chunks = torch.from_numpy(ends).split(PREDICTED_AT_ONCE)
        return np.concatenate([self.network.forecast(series[rows[:, None] + back]).cpu().numpy() for rows in chunks])
