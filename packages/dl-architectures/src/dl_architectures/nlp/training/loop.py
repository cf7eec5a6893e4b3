"""A training loop whose steps are functions of their number: it can be stopped anywhere and resumed, bit for bit."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dl_architectures import checkpoints
from dl_architectures.nlp.training.config import NetworkConfig
from dl_shared.errors import InputError
from dl_shared.progress import progress
from dl_shared.runs import Run


@dataclass
class _Position:
    """Where a training stands: all that a checkpoint holds beside weights and optimizer."""

    step: int = 0
    train_seconds: float = 0.0
    loss_sum: float = 0.0
    """Since the last row of the log."""
    losses: int = 0


def run_steps(
    run: Run,
    name: str,
    model: nn.Module,
    config: NetworkConfig,
    *,
    steps: int,
    epoch_steps: int,
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
        config: of the training.
        steps: of the training.
        epoch_steps: of one pass over the data.
        loss_of: the mean loss of the batch of a step; what is random in it follows from the step's number.
        validate: figures for the log.
        after_step: called with the number of steps done, after each.
        first: what the log counts from, where something else was trained before.
        splits: what the log calls the loss of the steps and the figures of `validate`.

    Raises:
        InputError: if the loss is not finite any more, or the checkpoint is damaged.
        KeyboardInterrupt: if the run was asked to stop; its checkpoint is then written.
    """
    optimizer = make_optimizer(model, config.weight_decay)
    path = run.checkpoints / f"{name}.safetensors"
    at = _restored(path, model, optimizer) if path.exists() else _Position()
    if at.step < steps:
        run.rewind(first + at.step)
    clock = time.perf_counter()

    def save() -> None:
        nonlocal clock
        now = time.perf_counter()
        at.train_seconds, clock = at.train_seconds + now - clock, now
        checkpoints.save(path, vars(at), model, optimizer)

    with run.stopping_gracefully(), progress(steps, name, unit="steps", done=at.step) as bar:
        while at.step < steps:
            if run.stop_requested:
                save()
                run.interrupt()
            rate = learning_rate(config, at.step, steps)
            loss = _step(optimizer, loss_of(at.step), rate=rate, clip_norm=config.clip_norm)
            at.step, at.loss_sum, at.losses = at.step + 1, at.loss_sum + loss, at.losses + 1
            after_step(at.step)
            bar.advance(1, loss=at.loss_sum / at.losses)
            if at.step % config.log_steps == 0 or at.step == steps:
                shown = first + at.step
                epoch = shown / epoch_steps
                run.log(step=shown, epoch=epoch, split=splits[0], loss=at.loss_sum / at.losses)
                run.log(step=shown, epoch=epoch, split=splits[1], **dict(validate()))
                at.loss_sum, at.losses = 0.0, 0
                save()
            elif at.step % config.checkpoint_steps == 0:
                save()
        if run.stop_requested:
            run.interrupt()
    return at.train_seconds


def make_optimizer(model: nn.Module, weight_decay: float) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves vectors (biases, gains of norms) as they are."""
    params = [param for param in model.parameters() if param.requires_grad]
    groups = [
        {"params": [param for param in params if param.ndim >= 2], "weight_decay": weight_decay},
        {"params": [param for param in params if param.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)


def learning_rate(config: NetworkConfig, step: int, steps: int) -> float:
    """Of the step with this number, from 0: a straight line up to the peak, then a cosine down to a tenth of it."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    share = (step - config.warmup_steps) / max(1, steps - config.warmup_steps)
    return config.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * share)) / 2)


def _step(optimizer: torch.optim.Optimizer, loss: Float[Tensor, ""], *, rate: float, clip_norm: float) -> float:
    """One update; returns the loss."""
    value = float(loss.detach())
    if not math.isfinite(value):
        raise InputError("the loss is not finite any more; take a lower --learning-rate")
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], clip_norm)
    for group in optimizer.param_groups:
        group["lr"] = rate
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
