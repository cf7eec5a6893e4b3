"""From prices to a finished run: load, train all members at once, calibrate on validation, test once."""

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from dl_shared.errors import InputError
from dl_shared.metrics.forecasting import coverage, pinball_loss, score_intervals
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.checkpoints import Checkpoints
from flax_projects.devices import device_name, training_mesh, whole
from flax_projects.loop import fit, train_epochs
from flax_projects.processes import start_run, wait_for_all
from flax_projects.stocks.calibration import stretch_intervals
from flax_projects.stocks.config import Config
from flax_projects.stocks.ensemble import Ensemble, make_model, predictor
from flax_projects.stocks.step import Members, TrainState, make_members, make_series, make_train_steps

PROJECT = "flax-stocks"
MEDIAN = len(LEVELS) // 2
VALIDATION_STRIDE = 5  # one window a week chooses the epoch: those between share nearly all their days


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, calibrate, test once, report; returns the run directory.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    options: dict[str, Any] = {"task": "stocks", "framework": "flax", "primary": "mae", "higher_is_better": False}
    with start_run(PROJECT, config, **options, runs_dir=runs_dir, resume=resume) as run:
        data = stocks.load_data(config)
        stocks.record_data(run, data)
        for note in data.notes:
            say(note)
        mesh = training_mesh(config)
        say(f"{len(data.train):,} training windows of {len(data.train.tickers)} companies, {device_name(mesh)}")
        learner = Learner(config, data, mesh)
        with Checkpoints(run.checkpoints) as checkpoints:
            models = fit(learner, config, run, checkpoints, metric="loss", higher_is_better=False)
        ensemble = learner.ensemble(models).calibrated(data)
        report(run, data, ensemble)
    wait_for_all("reported")
    return run.path


def report(run: Run, data: stocks.Data, ensemble: Ensemble) -> None:
    """Keep the ensemble and score the test part, with the raw intervals beside the calibrated ones."""
    raw = replace(ensemble, stretch=None).forecast(data.test)
    assert ensemble.stretch is not None
    calibrated = stretch_intervals(raw, ensemble.stretch)
    validation = ensemble.forecast(data.validation)
    if run.follows:
        return
    ensemble.save(run.path)
    metrics = stocks.report(
        run,
        data,
        calibrated[..., MEDIAN],
        quantiles=calibrated,
        levels=LEVELS,
        validation_forecasts=validation[..., MEDIAN],
    )
    test = data.test
    before = score_intervals(raw, test.targets, test.base_prices, LEVELS, dates=test.dates)
    run.update("metrics", uncalibrated=before)
    say(
        f"90 % intervals cover {metrics['test']['coverage']:.3f} of test targets, {before['coverage']:.3f} uncalibrated"
    )


def fit_quietly(config: Config, data: stocks.Data, mesh: Mesh) -> Ensemble:
    """A calibrated ensemble of the best epoch, without a run directory: for backtests and comparisons.

    Raises:
        InputError: if training diverged from the start.
    """
    learner = Learner(config, data, mesh)
    lowest, models = np.inf, None
    for scores in train_epochs(learner):
        if scores["loss"] < lowest:
            lowest, models = scores["loss"], jax.tree.map(jnp.copy, learner.best())
    if models is None:
        raise InputError("training diverged in the first epoch; use a smaller --learning-rate")
    return learner.ensemble(models).calibrated(data)


class Learner:
    """`config.members` networks in training for each learning rate: a `flax_projects.loop.Learner`.

    Args:
        config: of the run.
        data: loaded for it.
        mesh: each batch is split along it.
        members: others than those of the config; they are one ensemble.

    Raises:
        InputError: if there are fewer training windows than one batch of an epoch, or revin has no returns.
    """

    unit = "windows"

    def __init__(self, config: Config, data: stocks.Data, mesh: Mesh, members: Members | None = None) -> None:
        self.config, self.data, self.mesh = config, data, mesh
        self.examples_per_step = config.batch_size
        self.steps_per_epoch = len(data.train) // (config.batch_size * config.stride)
        if self.steps_per_epoch == 0:
            raise InputError(
                f"one in {config.stride} of {len(data.train)} training windows make no batch of {config.batch_size};"
                " use a smaller --batch-size or --stride"
            )
        self.total_steps = config.epochs * self.steps_per_epoch
        self.groups = len(config.rates) if members is None else 1
        self.group = 0  # whose validation loss is lowest
        make = partial(make_model, config, data.features)
        members = members or all_members(config)
        self.graph, trained = make_members(make, config, members, self.total_steps)
        self.parameters = sum(array[0].size for array in jax.tree.leaves(trained[0]))
        self.state = jax.device_put(TrainState(trained, jnp.zeros(len(members.number))), whole(mesh))
        constants = members, make_series(data.train, data.target_scale), data.train.ends.astype(np.int32)
        self.members, self.series, self.ends = jax.device_put(constants, whole(mesh))
        self.predict = predictor(config, data.features, self.groups, mesh)
        start = time.perf_counter()
        steps = make_train_steps(self.graph, config, steps_per_epoch=self.steps_per_epoch, mesh=mesh)
        arguments = self.state, self.members, self.series, self.ends, np.int32(0), np.int32(1)
        self.program = steps.lower(*arguments).compile()
        self.compile_seconds = time.perf_counter() - start

    def train_steps(self, first: int, last: int) -> None:
        constants = self.members, self.series, self.ends
        self.state = self.program(self.state, *constants, np.int32(first), np.int32(last))

    def train_scores(self, steps: int) -> dict[str, float]:
        """Pinball loss in units of `target_scale`, mean over members; one that diverged counts only if all did."""
        losses = np.asarray(self.state.loss_sum) / steps
        finite = losses[np.isfinite(losses)]
        return {"loss": float(finite.mean()) if len(finite) else float("nan")}

    def validation_scores(self) -> dict[str, float]:
        """Of the best learning rate's ensemble, over one window a week: pinball loss, skill and raw coverage.

        Loss and skill are of log returns in units of `target_scale`, where each day ahead counts the same.
        """
        windows = self.data.validation
        ends = windows.ends[::VALIDATION_STRIDE]
        targets = (windows.targets / self.data.target_scale)[::VALIDATION_STRIDE]
        quantiles = self.predict(self.state.trained[0], self.series.values, ends)
        losses = np.array([pinball_loss(group, targets, LEVELS).mean() for group in quantiles])
        self.group = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        chosen = quantiles[self.group]
        scores = {
            "loss": float(losses[self.group]),
            "skill": 1 - float(np.abs(targets - chosen[..., MEDIAN]).sum() / np.abs(targets).sum()),
            "coverage": coverage(chosen[..., 0], chosen[..., -1], targets),
        }
        return scores | ({"learning_rate": self.config.rates[self.group]} if self.groups > 1 else {})

    def best(self) -> Any:
        """The models of the ensemble with the lowest validation loss."""
        size = len(self.members.number) // self.groups
        return jax.tree.map(lambda array: array[self.group * size : (self.group + 1) * size], self.state.trained[0])

    def ensemble(self, models: Any) -> Ensemble:
        """Models as `best` gives them, with what it takes to forecast; not yet calibrated."""
        data = self.data
        return Ensemble(self.config, data.features, data.scaler, data.target_scale, models, self.mesh)


def all_members(config: Config) -> Members:
    """`config.members` for each learning rate, one ensemble after another; the same seeds for each."""
    rates = np.repeat(np.array(config.rates, np.float32), config.members)
    numbers = np.tile(np.arange(config.members, dtype=np.int32), len(config.rates))
    return Members(jnp.asarray(numbers), jnp.asarray(rates))
