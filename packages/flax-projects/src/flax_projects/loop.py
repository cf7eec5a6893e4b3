"""The loop of all projects: chunks of compiled steps, validation after each epoch, checkpoints, exact resumption.

What a step does is each project's own. This module decides when to leave the compiled steps, and what is done then.
"""

import math
import time
from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import jax
from jax.sharding import Mesh

from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from flax_projects.checkpoints import Checkpoints
from flax_projects.config import FlaxConfig
from flax_projects.devices import device_name, peak_memory
from flax_projects.processes import any_process


@runtime_checkable
class Learner(Protocol):
    """A model in training: all that changes, and the compiled programs that change it.

    Randomness must be a function of (seed, step), so that `state` and the number of the step are enough to go on.
    """

    state: Any
    """A NamedTuple of arrays."""
    mesh: Mesh
    steps_per_epoch: int
    """Steps from one validation to the next."""
    total_steps: int
    examples_per_step: int
    unit: str
    """What an example is called: `images`, `characters`, `windows`."""
    parameters: int
    compile_seconds: float

    def train_steps(self, first: int, last: int) -> None:
        """Make the steps `first` to `last` (exclusive), all of one epoch."""

    def train_scores(self, steps: int) -> dict[str, float]:
        """`loss` and others, as means over the `steps` made so far in this epoch."""

    def validation_scores(self) -> dict[str, float]:
        """Of the model as it is now."""

    def best(self) -> Any:
        """The arrays to keep of the best epoch."""


def fit(
    learner: Learner,
    config: FlaxConfig,
    run: Run,
    checkpoints: Checkpoints,
    *,
    metric: str,
    higher_is_better: bool,
) -> Any:
    """Make all steps that are still to be made; returns the arrays of the best epoch.

    Args:
        learner: before its first step.
        config: `chunk_steps`, `checkpoint_seconds` and `precision` are read.
        run: to log to, and to take up where it stopped.
        checkpoints: of the run.
        metric: the validation score by which epochs are compared.
        higher_is_better: its direction.

    Raises:
        KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
        InputError: if the checkpoint to go on from is damaged, or training has diverged.
    """
    loop = _Loop(learner, config, run, checkpoints, metric, 1 if higher_is_better else -1)
    loop.run_all()
    found = checkpoints.restore("best", learner.best())
    assert found is not None, "every epoch ends with a validation, the first of which is the best so far"
    return found[1]


def train_epochs(learner: Learner) -> Iterator[dict[str, float]]:
    """Train without a run directory, for searches and backtests: the validation scores after each epoch.

    Where the loss is no longer finite all scores are NaN, and it ends.
    """
    for first in range(0, learner.total_steps, learner.steps_per_epoch):
        learner.train_steps(first, first + learner.steps_per_epoch)
        scores = learner.validation_scores()
        if not math.isfinite(learner.train_scores(learner.steps_per_epoch)["loss"]):
            yield dict.fromkeys(scores, math.nan)
            return
        yield scores


class _Loop:
    """The state of `fit`: the step, and the numbers that a checkpoint keeps beside the arrays."""

    def __init__(
        self, learner: Learner, config: FlaxConfig, run: Run, checkpoints: Checkpoints, metric: str, sign: int
    ) -> None:
        self.learner, self.config, self.run, self.checkpoints = learner, config, run, checkpoints
        self.metric, self.sign = metric, sign
        self.step = 0
        self.record: dict[str, Any] = {"best": None, "train_seconds": 0.0, "step_seconds": 0.0}

    def run_all(self) -> None:
        learner, run = self.learner, self.run
        if run.resumed:
            self.take_up()
        examples, done = learner.total_steps * learner.examples_per_step, self.step * learner.examples_per_step
        label = f"{learner.total_steps // learner.steps_per_epoch} epochs"
        begin = saved = time.perf_counter()
        seconds_before = self.record["train_seconds"]
        with run.stopping_gracefully(), progress(examples, label, unit=learner.unit, done=done) as bar:
            while self.step < learner.total_steps:
                made = self.next_chunk()
                scores = self.train_scores()
                bar.advance(made * learner.examples_per_step, loss=scores["loss"])
                now = time.perf_counter()
                self.record["train_seconds"] = seconds_before + now - begin
                ended = self.step % learner.steps_per_epoch == 0
                if ended:
                    self.validate(scores)
                due = now - saved >= self.config.checkpoint_seconds
                stop, due = any_process(run.stop_requested, due)
                if ended or stop or due:
                    self.checkpoints.save("last", self.step, learner.state._asdict(), self.record)
                    saved = time.perf_counter()
                if stop:
                    run.interrupt()
        self.report_cost()

    def take_up(self) -> None:
        """Go back to the last checkpoint; to the beginning if there is none yet."""
        last = self.checkpoints.restore("last", self.learner.state._asdict())
        if last is not None:
            self.step, arrays, self.record = last
            self.learner.state = type(self.learner.state)(**arrays)
        self.run.rewind(self.step)
        say(f"going on after step {self.step} of {self.learner.total_steps}")

    def next_chunk(self) -> int:
        """Train to the end of the chunk or of the epoch; returns how many steps that was."""
        to_epoch_end = self.learner.steps_per_epoch - self.step % self.learner.steps_per_epoch
        made = min(self.config.chunk_steps or to_epoch_end, to_epoch_end)
        start = time.perf_counter()
        self.learner.train_steps(self.step, self.step + made)
        jax.block_until_ready(self.learner.state)
        self.record["step_seconds"] += time.perf_counter() - start
        self.step += made
        return made

    def train_scores(self) -> dict[str, float]:
        scores = self.learner.train_scores((self.step - 1) % self.learner.steps_per_epoch + 1)
        if not math.isfinite(scores["loss"]):
            raise InputError(f"training diverged before step {self.step}; use a smaller --learning-rate")
        return scores

    def validate(self, train_scores: dict[str, float]) -> None:
        epoch = self.step // self.learner.steps_per_epoch
        scores = self.learner.validation_scores()
        self.run.log(step=self.step, epoch=epoch, split="train", **train_scores)
        self.run.log(step=self.step, epoch=epoch, split="validation", **scores)
        value = scores[self.metric]
        say(f"epoch {epoch}: validation {self.metric} {value:.4f}, {self.record['train_seconds']:.0f} s")
        # `best` is saved before `last`: after a kill between the two, this epoch is made and validated again.
        if self.record["best"] is None or self.sign * value > self.sign * self.record["best"]:
            self.record["best"] = value
            self.checkpoints.save("best", self.step, self.learner.best(), {**scores, "epoch": epoch})

    def report_cost(self) -> None:
        learner = self.learner
        self.run.update(
            "cost",
            train_seconds=self.record["train_seconds"],
            compile_seconds=learner.compile_seconds,
            examples_per_second=learner.total_steps * learner.examples_per_step / self.record["step_seconds"],
            parameters=learner.parameters,
            device=device_name(learner.mesh),
            precision=self.config.precision,
            **peak_memory(learner.mesh),
        )
