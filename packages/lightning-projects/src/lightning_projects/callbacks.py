"""Callbacks of every training: the run's log, the checkpoint to resume from, a graceful stop, and progress."""

import math
import time
from contextlib import ExitStack
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ProgressBar, RichProgressBar
from rich.console import Console

from dl_shared.errors import InputError
from dl_shared.progress import Progress, progress, say
from dl_shared.runs import Run
from lightning_projects.checkpoints import forget_older, last_path
from lightning_projects.processes import any_process


class StoppedError(Exception):
    """Training ended on request, with its checkpoint on disk."""


class RunKeeper(Checkpoint):
    """Writes the rows of metrics.jsonl, and the checkpoint from which training resumes exactly where it was.

    Metrics named `train/NAME` and `validation/NAME` become rows of the splits `train` and `validation`. As a
    `Checkpoint`, it is called after all other callbacks, so that its checkpoints hold their latest state.

    Args:
        run: to log to, and to stop with.
        seconds: between two checkpoints within an epoch.
        monitor: the metric shown after each epoch.
    """

    def __init__(self, run: Run, *, seconds: float, monitor: str) -> None:
        self.run, self.seconds, self.monitor = run, seconds, monitor
        self.train_seconds = 0.0
        """Since the run was started, without the time between a stop and its resumption."""
        self.aside_seconds = 0.0
        """The part of these that validation and writing checkpoints took."""
        self.clock = self.saved = self.aside_since = 0.0
        self.loader: Any = None
        self.place: dict[str, int] | None = None
        """Of the training loader. Lightning restores it too, but not from a checkpoint at the end of an epoch."""
        self.open = ExitStack()

    def state_dict(self) -> dict[str, Any]:
        self._tick()
        place = self.loader.state_dict()
        return {"train_seconds": self.train_seconds, "aside_seconds": self.aside_seconds, "loader": place}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.train_seconds, self.aside_seconds = state_dict["train_seconds"], state_dict["aside_seconds"]
        self.place = state_dict["loader"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Entered here, so that it replaces Lightning's own handler of SIGTERM, which writes no checkpoint.
        self.open.enter_context(self.run.stopping_gracefully())
        self.loader = trainer.train_dataloader
        if self.place is not None:
            self.loader.load_state_dict(self.place)
        self.clock = self.saved = time.perf_counter()
        for callback in trainer.early_stopping_callbacks:  # had it stopped before the kill, it stops now
            if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
                trainer.should_stop = True

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.is_last_batch:
            return  # the epoch is not over before it is validated
        due = time.perf_counter() - self.saved >= self.seconds
        stop, due = any_process(pl_module.device, self.run.stop_requested, due)
        if stop or due:
            self._save(trainer)
        if stop:
            raise StoppedError

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.aside_since = time.perf_counter()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.aside_seconds += time.perf_counter() - self.aside_since

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        step, epoch = trainer.global_step, trainer.current_epoch + 1
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not math.isfinite(metrics["train/loss"]):
            raise InputError(f"training diverged before step {step}; use a smaller --learning-rate")
        for split in ("train", "validation"):
            rows = {name.removeprefix(f"{split}/"): value for name, value in metrics.items() if name.startswith(split)}
            self.run.log(step=step, epoch=epoch, split=split, **rows)
        if trainer.is_global_zero:
            say(f"epoch {epoch}: {self.monitor.replace('/', ' ')} {metrics[self.monitor]:.4f}")
        self._save(trainer)
        (stop,) = any_process(pl_module.device, self.run.stop_requested)
        if stop:
            raise StoppedError

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tick()
        self.open.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.open.close()

    def _save(self, trainer: pl.Trainer) -> None:
        start = time.perf_counter()
        trainer.save_checkpoint(last_path(self.run.checkpoints, trainer.global_step))
        if trainer.is_global_zero:
            forget_older(self.run.checkpoints)
        self.saved = time.perf_counter()
        self.aside_seconds += self.saved - start

    def _tick(self) -> None:
        now = time.perf_counter()
        self.train_seconds += now - self.clock
        self.clock = now


class PlainProgress(ProgressBar):
    """A line on stderr now and then, for logs and pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.enabled = True
        self.open = ExitStack()
        self.lines: Progress | None = None

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.enabled:
            total = int(trainer.estimated_stepping_batches)
            label = f"{trainer.max_epochs} epochs"
            self.lines = self.open.enter_context(progress(total, label, unit="steps", done=trainer.global_step))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.lines is not None:
            self.lines.advance(1)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.open.close()


def progress_bar() -> ProgressBar:
    """Rich's bar where a person looks on, plain lines elsewhere; on stderr, because stdout is kept for results."""
    if Console(stderr=True).is_terminal:
        return RichProgressBar(console_kwargs={"stderr": True})
    return PlainProgress()
