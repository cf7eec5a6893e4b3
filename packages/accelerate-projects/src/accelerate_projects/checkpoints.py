"""Checkpoints of tensors, in the files of `dl_shared.checkpoints`.

`Accelerator.save_state` and `load_state` pickle random state and custom objects; these projects need neither.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dl_shared import checkpoints
from dl_shared.errors import InputError

Tensors = dict[str, Tensor]


def save(path: Path, values: Mapping[str, Any], **parts: Mapping[str, Tensor]) -> None:
    """Write named tensors and JSON values as one file, which appears whole or not at all.

    Args:
        path: of the file.
        values: what JSON can hold.
        parts: tensors by name, such as `model=model.state_dict()`.

    Raises:
        OSError: if the disk is full.
    """
    arrays = {part: {name: value.cpu().numpy() for name, value in named.items()} for part, named in parts.items()}
    checkpoints.save(path, values, **arrays)


def load(path: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """The parts of a checkpoint, on the CPU, and its values.

    Raises:
        InputError: if the file is missing, cut short or of another kind.
    """
    parts, values = checkpoints.load(path)
    tensors = {part: {name: torch.from_numpy(array) for name, array in named.items()} for part, named in parts.items()}
    return tensors, values


def load_weights(path: Path, model: nn.Module, weights: Tensors) -> None:
    """Load weights that were read from `path` into a model.

    Raises:
        InputError: if they are those of another model.
    """
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise InputError(f"{path} holds the weights of another model than config.json describes") from None


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """The state of an optimizer: for each parameter, by its number, the tensors kept for it."""
    state = optimizer.state_dict()["state"]
    return {f"{number}.{name}": tensor for number, kept in state.items() for name, tensor in kept.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors) -> None:
    """Put that state back; learning rates and other hyperparameters stay those of the new optimizer."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    state: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = _laid_out_like(params[int(number)], tensor)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _laid_out_like(param: Tensor, tensor: Tensor) -> Tensor:
    """A file holds no strides, but a fused optimizer on the CPU expects its state to have those of the parameter."""
    return torch.empty_like(param, dtype=tensor.dtype).copy_(tensor) if tensor.shape == param.shape else tensor
