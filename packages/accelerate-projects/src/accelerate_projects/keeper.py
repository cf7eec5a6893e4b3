"""Where a training stands, kept in its run: what a loop calls after each batch, each update and each epoch.

The loop itself is each project's own, in its train.py.
"""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, skip_first_batches
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from accelerate_projects import checkpoints
from accelerate_projects.config import AccelerateConfig
from accelerate_projects.processes import any_process, explaining_lost_worker
from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run


@dataclass
class Position:
    """All that a checkpoint holds beside tensors."""

    step: int = 0
    """Updates made."""
    train_seconds: float = 0.0
    sums: list[float] = field(default_factory=list)
    """Of the epoch so far, over all processes."""
    best: dict[str, float] | None = None
    """Scores of the best epoch so far."""


class Keeper:
    """Counts, logs, saves, stops and takes up again.

    Args:
        accelerator: that prepared what follows.
        config: of the run.
        run: kept by the first process.
        model: prepared.
        optimizer: prepared.
        steps_per_epoch: updates.
        batch_size: examples of an update, of all processes together.
        unit: what an example is called, for the progress bar.
        metric: the validation score by which epochs are compared.
        higher_is_better: its direction; None keeps the newest epoch, whatever its score.
        scheduler: prepared, if there is one; its rate must be a function of the number of updates.
        average: of the weights, if there is one, updated after each update; the best epoch is kept as this has it.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        config: AccelerateConfig,
        run: Run,
        model: nn.Module,
        optimizer: Any,
        *,
        steps_per_epoch: int,
        batch_size: int,
        unit: str,
        metric: str,
        higher_is_better: bool | None,
        scheduler: Any = None,
        average: AveragedModel | None = None,
    ) -> None:
        self.accelerator, self.config, self.run = accelerator, config, run
        self.model, self.optimizer, self.scheduler, self.average = model, optimizer, scheduler, average
        self.steps_per_epoch, self.batch_size, self.unit = steps_per_epoch, batch_size, unit
        self.metric, self.higher_is_better = metric, higher_is_better
        self.exact = torch.float32 if accelerator.device.type == "mps" else torch.float64  # Metal has no float64
        self.at = Position()
        self.sums: Tensor | None = None
        self.last, self.best = (run.checkpoints / f"{name}.safetensors" for name in ("last", "best"))
        if run.resumed:
            self._take_up()

    @property
    def epoch(self) -> int:
        """The epoch to go on with, from 0."""
        return self.at.step // self.steps_per_epoch

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the loop: the progress bar, the clock, Ctrl-C, and processes that die."""
        self.clock = self.saved = time.perf_counter()
        label, done = f"{self.config.epochs} epochs", self.at.step * self.batch_size
        with (
            explaining_lost_worker(self.accelerator),
            self.run.stopping_gracefully(),
            progress(self.examples, label, unit=self.unit, done=done) as self.bar,
        ):
            yield

    @property
    def examples(self) -> int:
        """Of all epochs together."""
        return self.config.epochs * self.steps_per_epoch * self.batch_size

    def remaining(self, loader: DataLoader) -> Iterator[Any]:
        """The batches of the epoch that are still to be learned from."""
        batches = skip_first_batches(loader, self.at.step % self.steps_per_epoch * self.config.accumulate)
        for number, batch in enumerate(batches):
            if number == 0:  # not earlier: a loader draws too when it begins, also in the middle of an epoch
                self._draw_by_step()
            yield batch

    def after_batch(self, sums: Float[Tensor, " sums"]) -> None:
        """Count what this process saw; after an update, save if it is time, and stop if asked to.

        Args:
            sums: over the examples of the batch, the loss first and the number of examples last.
        """
        sums = sums.detach().to(self.exact)
        self.sums = sums if self.sums is None else self.sums + sums
        if not self.accelerator.sync_gradients:
            return
        self.at.step += 1
        self.bar.advance(self.batch_size)
        self._draw_by_step()
        if self.at.step % self.steps_per_epoch == 0:
            return  # this update is saved with the validation of its epoch, or resuming would skip that
        due = time.perf_counter() - self.saved >= self.config.checkpoint_seconds
        stop, due = any_process(self.accelerator, self.run.stop_requested, due)
        if stop or due:
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
            if self.accelerator.is_main_process:
                best = self.weights() if self.average is None else self.average.module.state_dict()
                checkpoints.save(self.best, at.best, model=best)
        self.sums = None
        self.save()
        (stop,) = any_process(self.accelerator, run.stop_requested)
        if stop:
            run.interrupt()

    def _better(self, value: float, best: float) -> bool:
        if self.higher_is_better is None:
            return True
        return value > best if self.higher_is_better else value < best

    def train_sums(self) -> list[float]:
        """The sums of the epoch so far, over all processes.

        Raises:
            InputError: if the loss, the first of them, is no longer finite.
        """
        assert self.sums is not None, "there is no epoch without a batch"
        sums = self.accelerator.reduce(self.sums, "sum").tolist()
        if not math.isfinite(sums[0]):
            raise InputError(f"training diverged before step {self.at.step}; use a smaller --learning-rate")
        return sums

    def weights(self) -> checkpoints.Tensors:
        """Of the model, without what `prepare` put around it."""
        return self.accelerator.unwrap_model(self.model).state_dict()

    def save(self) -> None:
        """Write the checkpoint to go on from; every process must call it."""
        now = time.perf_counter()
        self.at.train_seconds += now - self.clock
        self.clock = self.saved = now
        self.at.sums = [] if self.sums is None else self.train_sums()
        if not self.accelerator.is_main_process:
            return
        scaler = self.accelerator.scaler
        values = {
            "position": asdict(self.at),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        optimizer = checkpoints.optimizer_tensors(self.optimizer)
        average = {} if self.average is None else self.average.state_dict()
        checkpoints.save(self.last, values, model=self.weights(), optimizer=optimizer, average=average)

    def _take_up(self) -> None:
        """Go back to the last checkpoint; to the beginning if there is none yet."""
        if self.last.exists():
            self._restore()
        self.run.rewind(self.at.step)
        say(f"going on after step {self.at.step} of {self.config.epochs * self.steps_per_epoch}")

    def _restore(self) -> None:
        parts, values = checkpoints.load(self.last)
        checkpoints.load_weights(self.last, self.accelerator.unwrap_model(self.model), parts["model"])
        checkpoints.load_optimizer(self.optimizer, parts.get("optimizer", {}))
        if self.average is not None:
            checkpoints.load_weights(self.last, self.average, parts["average"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(values["scheduler"])
            for group, rate in zip(self.optimizer.param_groups, self.scheduler.get_last_lr(), strict=True):
                group["lr"] = rate  # the scheduler itself would set it after the next update
        if self.accelerator.scaler is not None and values["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(values["scaler"])
        self.at = Position(**values["position"])
        if self.at.sums:  # those of all processes; the first goes on counting from them
            sums = torch.tensor(self.at.sums, dtype=self.exact, device=self.accelerator.device)
            self.sums = sums if self.accelerator.is_main_process else torch.zeros_like(sums)

    def _draw_by_step(self) -> None:
        """Dropout draws from torch's own generator: let it draw a function of the step, also after a resumption."""
        step = (self.config.seed, self.at.step, self.accelerator.process_index)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def record_cost(self) -> None:
        """What the training took, into the summary of the run."""
        on_gpu = self.accelerator.device.type == "cuda"
        self.run.update(
            "cost",
            train_seconds=self.at.train_seconds,
            examples_per_second=self.at.step * self.batch_size / self.at.train_seconds,
            parameters=sum(param.numel() for param in self.model.parameters()),
            device=torch.cuda.get_device_name() if on_gpu else f"cpu, threads: {torch.get_num_threads()}",
            processes=self.accelerator.num_processes,
            precision=self.config.precision,
            **({"peak_memory_bytes": torch.cuda.max_memory_allocated()} if on_gpu else {}),
        )
