"""Models and optimizers to and from the files of `dl_shared.checkpoints`, by way of the host.

Tensors that are read replace those of the model: copying into them would be recorded, and compiled.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dl_shared.checkpoints import Arrays, load, save
from dl_shared.errors import InputError
from xla_projects.device import Device, fetch

__all__ = ["load", "load_optimizer", "load_weights", "optimizer_arrays", "save", "weights"]


def weights(model: nn.Module) -> Arrays:
    """Parameters and buffers, on the host."""
    return {name: fetch(tensor) for name, tensor in model.state_dict().items()}


def load_weights(device: Device | None, path: Path, model: nn.Module, arrays: Mapping[str, np.ndarray]) -> None:
    """Load weights that were read from `path` into a model on the device, or on the host if it is None.

    Raises:
        InputError: if they are those of another model.
    """
    own = model.state_dict(keep_vars=True)
    if own.keys() != arrays.keys() or any(own[name].shape != array.shape for name, array in arrays.items()):
        raise InputError(f"{path} holds the weights of another model than the options describe")
    for name, tensor in own.items():
        tensor.data = torch.from_numpy(arrays[name]) if device is None else device.put(arrays[name])


def optimizer_arrays(optimizer: torch.optim.Optimizer) -> Arrays:
    """The state of an optimizer, on the host: for each parameter, by its number, the arrays kept for it."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    return {
        f"{number}.{name}": fetch(tensor)
        for number, param in enumerate(params)
        for name, tensor in optimizer.state[param].items()
    }


def load_optimizer(device: Device, optimizer: torch.optim.Optimizer, arrays: Mapping[str, np.ndarray]) -> None:
    """Put that state in place of the state of a new optimizer."""
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for key, array in arrays.items():
        number, _, name = key.partition(".")
        optimizer.state[params[int(number)]][name] = device.put(array)
