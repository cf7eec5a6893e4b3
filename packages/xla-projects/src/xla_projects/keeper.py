"""Where a training stands, kept in its run: what a loop calls after each update and each epoch.

The loop itself is each project's own, in its train.py.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from xla_projects import checkpoints
from xla_projects.config import XlaConfig
from xla_projects.device import Device, compilations, compile_seconds, fetch
from xla_projects.processes import on_any_host


@dataclass
class Position:
    """All that a checkpoint holds beside arrays."""

    step: int = 0
    """Updates made."""
    train_seconds: float = 0.0
    sums: list[float] = field(default_factory=list)
    """Of the epoch so far."""
    best: dict[str, float] | None = None
    """Scores of the best epoch so far."""


class Keeper:
    """Counts, logs, saves, stops and takes up again.

    Args:
        device: that trains.
        config: of the run.
        run: where all is kept.
        model: on the device.
        optimizer: of `make_adamw`.
        steps_per_epoch: updates.
        batch_size: examples of an update.
        unit: what an example is called, for the progress bar.
        metric: the validation score by which epochs are compared.
        higher_is_better: its direction.
        sums: how many numbers are summed over an epoch; the loss first, the number of examples last.
    """

    def __init__(
        self,
        device: Device,
        config: XlaConfig,
        run: Run,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        steps_per_epoch: int,
        batch_size: int,
        unit: str,
        metric: str,
        higher_is_better: bool,
        sums: int,
    ) -> None:
        self.device, self.config, self.run, self.model, self.optimizer = device, config, run, model, optimizer
        self.steps_per_epoch, self.batch_size, self.unit = steps_per_epoch, batch_size, unit
        self.metric, self.higher_is_better = metric, higher_is_better
        self.at = Position()
        self.zeros = np.zeros(sums, np.float32)
        self.sums = device.put(self.zeros)
        self.compiled_before = compilations(), compile_seconds()
        self.last, self.best = (run.checkpoints / f"{name}.safetensors" for name in ("last", "best"))
        if run.resumed:
            self._take_up()

    @property
    def epoch(self) -> int:
        """The epoch to go on with, from 0."""
        return self.at.step // self.steps_per_epoch

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the loop: the progress bar, the clock, and Ctrl-C."""
        self.clock = self.saved = time.perf_counter()
        examples, done = self.steps_per_epoch * self.batch_size, self.at.step * self.batch_size
        with (
            self.run.stopping_gracefully(),
            progress(
                self.config.epochs * examples, f"{self.config.epochs} epochs", unit=self.unit, done=done
            ) as self.bar,
        ):
            yield

    def remaining(self, epoch: int) -> Iterator[int]:
        """The updates of an epoch that are still to be made, from 0; random numbers begin anew with each.

        What dropout draws is so a function of seed and update, also after a resumption.
        """
        for step in range(self.at.step - epoch * self.steps_per_epoch, self.steps_per_epoch):
            drawn = np.random.SeedSequence((self.config.seed, self.at.step)).generate_state(1)[0]
            self.device.seed(int(drawn >> 1))
            yield step

    def after_step(self, sums: Float[Tensor, " sums"]) -> None:
        """Count an update; save if it is time, and stop if asked to.

        Args:
            sums: over the epoch so far, this update included; they stay on the device.
        """
        self.sums = sums
        self.at.step += 1
        self.bar.advance(self.batch_size)
        if self.at.step % self.steps_per_epoch == 0:
            return  # this update is saved with the validation of its epoch, or resuming would skip that
        stop = on_any_host(self.device, self.run.stop_requested)
        if stop or time.perf_counter() - self.saved >= self.config.checkpoint_seconds:
            self.save()
        if stop:
            self.run.interrupt()

    def after_epoch(self, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Log the scores of an epoch, keep its model if it is the best, save, and stop if asked to."""
        at, run = self.at, self.run
        for split, scores in (("train", train), ("validation", validation)):
            run.log(step=at.step, epoch=self.epoch, split=split, **scores)
        value = validation[self.metric]
        say(f"epoch {self.epoch}: validation {self.metric} {value:.4f}")
        # The best is saved first: after a kill in between, this epoch ends a second time, and the same.
        if at.best is None or self._better(value, at.best[self.metric]):
            at.best = {**validation, "epoch": self.epoch}
            if self.device.host == 0:
                checkpoints.save(self.best, at.best, model=checkpoints.weights(self.model))
        self.sums = self.device.put(self.zeros)
        self.save(ended=True)
        if on_any_host(self.device, run.stop_requested):
            run.interrupt()

    def _better(self, value: float, best: float) -> bool:
        return value > best if self.higher_is_better else value < best

    def train_sums(self) -> list[float]:
        """The sums of the epoch so far.

        Raises:
            InputError: if the loss, the first of them, is no longer finite.
        """
        sums = fetch(self.sums).tolist()
        if not math.isfinite(sums[0]):
            raise InputError(f"training diverged before step {self.at.step}; use a smaller --learning-rate")
        return sums

    def save(self, *, ended: bool = False) -> None:
        """Write the checkpoint to go on from.

        Args:
            ended: between two epochs, where nothing has been summed.
        """
        self.at.sums = [] if ended else self.train_sums()  # waits for the device
        now = time.perf_counter()
        self.at.train_seconds += now - self.clock
        self.clock = now
        if self.device.host == 0:
            checkpoints.save(
                self.last,
                asdict(self.at),
                model=checkpoints.weights(self.model),
                optimizer=checkpoints.optimizer_arrays(self.optimizer),
            )
        self.saved = time.perf_counter()

    def _take_up(self) -> None:
        """Go back to the last checkpoint; to the beginning if there is none yet."""
        if self.last.exists():
            self._restore()
        self.run.rewind(self.at.step)
        say(f"going on after step {self.at.step} of {self.config.epochs * self.steps_per_epoch}")

    def _restore(self) -> None:
        parts, values = checkpoints.load(self.last)
        checkpoints.load_weights(self.device, self.last, self.model, parts["model"])
        checkpoints.load_optimizer(self.device, self.optimizer, parts["optimizer"])
        self.at = Position(**values)
        if self.at.sums:
            self.sums = self.device.put(np.asarray(self.at.sums, np.float32))

    def record_cost(self) -> None:
        """What the training took, into the summary of the run; compilations are those of this process."""
        device = self.device
        self.run.update(
            "cost",
            train_seconds=self.at.train_seconds,
            examples_per_second=self.at.step * self.batch_size / self.at.train_seconds,
            parameters=sum(param.numel() for param in self.model.parameters()),
            device=f"{device.kind.lower()} (XLA)",
            devices=device.count,
            precision=self.config.precision,
            compilations=compilations() - self.compiled_before[0],
            compile_seconds=compile_seconds() - self.compiled_before[1],
        )
