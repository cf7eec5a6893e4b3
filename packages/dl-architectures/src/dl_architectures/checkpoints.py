"""Models and optimizers to and from the files of `dl_shared.checkpoints`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dl_shared import checkpoints
from dl_shared.errors import InputError

Parts = dict[str, dict[str, Tensor]]


def save(
    path: Path, values: Mapping[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Write weights, optimizer state and JSON `values` as one file, which appears whole or not at all."""
    kept = {} if optimizer is None else optimizer.state_dict()["state"]
    checkpoints.save(
        path,
        values,
        model={name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()},
        optimizer={f"{n}.{name}": tensor.cpu().numpy() for n, state in kept.items() for name, tensor in state.items()},
    )


def load(path: Path) -> tuple[Parts, dict[str, Any]]:
    """The tensors and the JSON values of a checkpoint, on the CPU.

    Raises:
        InputError: if the file is missing, truncated or of another kind.
    """
    parts, values = checkpoints.load(path)
    return {
        part: {name: torch.from_numpy(array) for name, array in arrays.items()} for part, arrays in parts.items()
    }, values


def restore(path: Path, parts: Parts, model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Put loaded tensors into the model and the optimizer, laid out in memory as the model is.

    Raises:
        InputError: if they are those of another model.
    """
    try:
        model.load_state_dict(parts.get("model", {}))
    except RuntimeError:
        raise InputError(f"{path} holds the weights of another model than config.json describes") from None
    if optimizer is None:
        return
    params = [param for group in optimizer.param_groups for param in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts.get("optimizer", {}).items():
        number, _, key = name.partition(".")
        like = params[int(number)]
        # A file holds no strides, and a fused optimizer on the CPU goes through memory without looking at them.
        same = torch.empty_like(like, dtype=tensor.dtype).copy_(tensor) if tensor.shape == like.shape else tensor
        state.setdefault(int(number), {})[key] = same
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
