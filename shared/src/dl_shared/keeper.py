"""How far a training is, kept in its run: what a loop calls after each update and each epoch.

It counts, logs, saves, stops and resumes. The loop itself is each project's own, and so is all that touches tensors or
other processes: a framework derives a class for that.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run


@dataclass
class Position:
    """How far a training is: all of a checkpoint that is neither model nor optimizer."""

    step: int = 0
    """Updates made."""
    train_seconds: float = 0.0
    sums: list[float] = field(default_factory=list)
    """Over the epoch so far, in all processes; empty between two epochs."""
    best: dict[str, float] | None = None
    """Validation scores of the best epoch so far."""


class Keeper(ABC):
    """Keeps a training in its run, and resumes it from there.

    A derived class sets what it needs for `read_last` before it calls this initialiser.

    Args:
        config: of the run; `epochs`, `checkpoint_seconds` and `precision` are read.
        run: written by the first process, followed by the others.
        is_first: whether this process is the first.
        steps_per_epoch: updates.
        batch_size: examples of an update, of all processes together.
        unit: what an example is called in the progress bar.
        metric: the validation score by which epochs are compared.
        higher_is_better: its direction; None takes the newest epoch for the best, whatever its score.
    """

    def __init__(
        self,
        config: Any,
        run: Run,
        *,
        is_first: bool,
        steps_per_epoch: int,
        batch_size: int,
        unit: str,
        metric: str,
        higher_is_better: bool | None,
    ) -> None:
        self.config, self.run, self.is_first = config, run, is_first
        self.steps_per_epoch, self.batch_size, self.unit = steps_per_epoch, batch_size, unit
        self.metric, self.higher_is_better = metric, higher_is_better
        self.last, self.best = (run.checkpoints / f"{name}.safetensors" for name in ("last", "best"))
        self.position = Position()
        if run.resumed:
            self._resume()
        self.put_sums(self.position.sums)

    @property
    def epoch(self) -> int:
        """The epoch to go on with, from 0."""
        return self.position.step // self.steps_per_epoch

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the loop: the progress bar, the clock, and Ctrl-C."""
        self.clock = self.saved = time.perf_counter()
        examples, done = self.steps_per_epoch * self.batch_size, self.position.step * self.batch_size
        label = f"{self.config.epochs} epochs"
        with (
            self.run.stopping_gracefully(),
            progress(self.config.epochs * examples, label, unit=self.unit, done=done) as self.bar,
        ):
            yield

    def count_update(self) -> None:
        """Count an update; save if it is time, and stop if asked to."""
        self.position.step += 1
        self.bar.advance(self.batch_size)
        if self.position.step % self.steps_per_epoch == 0:
            return  # this update is saved with the validation of its epoch, or resuming would skip that
        due = time.perf_counter() - self.saved >= self.config.checkpoint_seconds
        stop, due = self.any_process(self.run.stop_requested, due)
        if stop or due:
            self.save()
        if stop:
            self.run.interrupt()

    def after_epoch(self, train: Mapping[str, float], validation: Mapping[str, float]) -> None:
        """Log the scores of an epoch, keep its model if it is the best, save, and stop if asked to."""
        position, run = self.position, self.run
        for split, scores in (("train", train), ("validation", validation)):
            run.log(step=position.step, epoch=self.epoch, split=split, **scores)
        value = validation[self.metric]
        say(f"epoch {self.epoch}: validation {self.metric} {value:.4f}")
        # The best is saved first: after a kill in between, this epoch ends a second time, and the same.
        if position.best is None or self._better(value, position.best[self.metric]):
            position.best = {**validation, "epoch": self.epoch}
            if self.is_first:
                self.write_best(position.best)
        self.put_sums([])
        self.save()
        (stop,) = self.any_process(run.stop_requested)
        if stop:
            run.interrupt()

    def _better(self, value: float, best: float) -> bool:
        if self.higher_is_better is None:
            return True
        return value > best if self.higher_is_better else value < best

    def train_sums(self) -> list[float]:
        """The sums over the epoch so far, in all processes; every process must call it.

        Raises:
            InputError: if the loss, the first of them, is no longer finite.
        """
        sums = self.fetch_sums()
        if not math.isfinite(sums[0]):
            raise InputError(f"training diverged before step {self.position.step}; use a smaller --learning-rate")
        return sums

    def save(self) -> None:
        """Write the checkpoint to resume from; every process must call it."""
        between_epochs = self.position.step % self.steps_per_epoch == 0
        self.position.sums = [] if between_epochs else self.train_sums()  # which waits for the device
        now = time.perf_counter()
        self.position.train_seconds += now - self.clock
        self.clock = now
        if self.is_first:
            self.write_last(asdict(self.position))
        self.saved = time.perf_counter()

    def _resume(self) -> None:
        """Go back to the last checkpoint; to the beginning if there is none yet."""
        if self.last.exists():
            self.position = Position(**self.read_last())
        self.run.rewind(self.position.step)
        say(f"going on after step {self.position.step} of {self.config.epochs * self.steps_per_epoch}")

    def record_cost(self, **more: Any) -> None:
        """Put what the training took into the summary of the run.

        Args:
            more: other fields of `cost`, such as `parameters` and `device`.
        """
        step, seconds = self.position.step, self.position.train_seconds
        rate = step * self.batch_size / seconds
        cost = {"train_seconds": seconds, "examples_per_second": rate, "precision": self.config.precision}
        self.run.update("cost", **cost, **more)

    @abstractmethod
    def any_process(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, or'ed over all processes, so that all of them take the same turn; every process must call it."""

    @abstractmethod
    def put_sums(self, sums: list[float]) -> None:
        """Begin to add up from these sums of all processes; from zeros where they are empty."""

    @abstractmethod
    def fetch_sums(self) -> list[float]:
        """The sums over the epoch so far, in all processes: the loss first, the number of examples last."""

    @abstractmethod
    def write_best(self, scores: dict[str, float]) -> None:
        """Write the model and the scores of its epoch to the file `best`."""

    @abstractmethod
    def write_last(self, position: dict[str, Any]) -> None:
        """Write all that is needed to resume to the file `last`."""

    @abstractmethod
    def read_last(self) -> dict[str, Any]:
        """Put back what `write_last` wrote, and return the position.

        Raises:
            InputError: if the file is damaged, or of another model.
        """
