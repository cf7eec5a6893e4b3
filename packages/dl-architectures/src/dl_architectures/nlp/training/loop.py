"""A training loop whose steps are functions of their number: it can be stopped anywhere and taken up, bit for bit."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dl_architectures import checkpoints
from dl_shared.errors import InputError
from dl_shared.progress import progress
from dl_shared.runs import Run


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How many steps, how large, and what is written when."""

    steps: int
    epoch_steps: int
    """Of one pass over the data."""
    learning_rate: float
    """Peak, after the warm-up; falls to a tenth along a cosine."""
    warmup_steps: int
    clip_norm: float
    """Longest gradient allowed."""
    checkpoint_steps: int
    """A kill costs no more work than this."""
    log_steps: int
    """Steps between two rows of the log and two validations."""

    def rate(self, step: int) -> float:
        """Of the step with this number, from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        share = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)


@dataclass
class _Position:
    """Where a training stands: all that a checkpoint holds beside weights and optimizer."""

    step: int = 0
    train_seconds: float = 0.0
    loss_sum: float = 0.0
    """Since the last row of the log."""
    losses: int = 0


def make_optimizer(modules: Iterable[nn.Module], weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves vectors (biases, gains of norms) as they are."""
    params = [param for module in modules for param in module.parameters() if param.requires_grad]
    groups = [
        {"params": [param for param in params if param.ndim >= 2], "weight_decay": weight_decay},
        {"params": [param for param in params if param.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def run_steps(
    run: Run,
    name: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    loss_of: Callable[[int], Float[Tensor, ""]],
    validate: Callable[[], Mapping[str, float]],
    after_step: Callable[[int], None] = lambda step: None,
    first: int = 0,
    splits: tuple[str, str] = ("train", "validation"),
) -> float:
    """Train from the last checkpoint to the end; returns the seconds that it took altogether.

    Args:
        run: that keeps the checkpoint, as `<name>.safetensors`, and the log.
        name: of what is trained.
        model: holds all tensors that the steps change, averages of weights included.
        optimizer: of the trained ones among them.
        schedule: see there.
        loss_of: the mean loss of the batch of a step; what is random in it follows from the step's number.
        validate: figures for the log.
        after_step: called with the number of steps done, after each.
        first: what the log counts from, where something else was trained before.
        splits: what the log calls the loss of the steps and the figures of `validate`.

    Raises:
        InputError: if the loss is not finite any more, or the checkpoint is damaged.
        KeyboardInterrupt: if the run was asked to stop; its checkpoint is then written.
    """
    path = run.checkpoints / f"{name}.safetensors"
    at = _restored(path, model, optimizer) if path.exists() else _Position()
    if at.step < schedule.steps:
        run.rewind(first + at.step)
    clock = time.perf_counter()

    def save() -> None:
        nonlocal clock
        now = time.perf_counter()
        at.train_seconds, clock = at.train_seconds + now - clock, now
        checkpoints.save(path, vars(at), model, optimizer)

    with run.stopping_gracefully(), progress(schedule.steps, name, unit="steps", done=at.step) as bar:
        while at.step < schedule.steps:
            if run.stop_requested:
                save()
                run.interrupt()
            loss = _step(model, optimizer, schedule, at.step, loss_of)
            at.step, at.loss_sum, at.losses = at.step + 1, at.loss_sum + loss, at.losses + 1
            after_step(at.step)
            bar.advance(1, loss=at.loss_sum / at.losses)
            if at.step % schedule.log_steps == 0 or at.step == schedule.steps:
                shown = first + at.step
                epoch = shown / schedule.epoch_steps
                run.log(step=shown, epoch=epoch, split=splits[0], loss=at.loss_sum / at.losses)
                run.log(step=shown, epoch=epoch, split=splits[1], **dict(validate()))
                at.loss_sum, at.losses = 0.0, 0
                save()
            elif at.step % schedule.checkpoint_steps == 0:
                save()
        if run.stop_requested:
            run.interrupt()
    return at.train_seconds


def _step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    step: int,
    loss_of: Callable[[int], Float[Tensor, ""]],
) -> float:
    """One update; returns the loss."""
    for group in optimizer.param_groups:
        group["lr"] = schedule.rate(step)
    loss = loss_of(step)
    value = float(loss.detach())
    if not math.isfinite(value):
        raise InputError("the loss is not finite any more; take a lower --learning-rate")
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], schedule.clip_norm)
    optimizer.step()
    return value


def _restored(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> _Position:
    """Where the checkpoint stands, with weights and optimizer put back."""
    parts, values = checkpoints.load(path)
    checkpoints.restore(path, parts, model, optimizer)
    try:
        return _Position(**values)
    except TypeError as error:
        raise InputError(f"{path} is damaged: {error}") from None
