"""Checkpoints as one safetensors file each: tensors of model and optimizer, and JSON in its header. No pickle."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dl_architectures.seq2seq.config import ModelConfig
from dl_architectures.seq2seq.model import Seq2Seq
from dl_shared.errors import InputError
from dl_shared.files import atomic_path

MODEL, OPTIMIZER = "model.", "optimizer."


def save(path: Path, values: dict[str, Any], model: nn.Module, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Write weights, optimizer state and JSON `values` as one file, which appears whole or not at all."""
    tensors = {f"{MODEL}{name}": tensor for name, tensor in model.state_dict().items()}
    if optimizer is not None:
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{OPTIMIZER}{number}.{name}": tensor for name, tensor in state.items()}
    with atomic_path(path) as temporary:
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, {"json": json.dumps(values)}
        )


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the JSON values of a checkpoint, on the CPU.

    Raises:
        InputError: if the file is missing, truncated or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; the run has no such checkpoint yet")
    try:
        with safe_open(path, framework="pt") as file:
            values = json.loads((file.metadata() or {})["json"])
            return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is damaged: {' '.join(str(error).split())}") from None


def restore(
    path: Path, tensors: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Put loaded tensors into the model and the optimizer.

    Raises:
        InputError: if they are those of another model.
    """
    weights = {name.removeprefix(MODEL): tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        raise InputError(f"{path} holds the weights of another model than config.json describes") from None
    if optimizer is None:
        return
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMIZER):
            number, _, key = name.removeprefix(OPTIMIZER).partition(".")
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def load_model(path: Path, device: torch.device) -> tuple[Seq2Seq, tuple[int, ...]]:
    """A trained model, ready to predict, and the symbols of its vocabulary.

    Raises:
        InputError: if the checkpoint is missing, damaged, or not one of ours.
    """
    tensors, values = load(path)
    try:
        config = ModelConfig(**values["model"])
        symbols = tuple(int(symbol) for symbol in values["symbols"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    model = Seq2Seq(config)
    restore(path, tensors, model)
    return model.to(device).eval(), symbols


def describe(model: Seq2Seq, symbols: tuple[int, ...]) -> dict[str, Any]:
    """What `load_model` needs beside the weights."""
    return {"model": dataclasses.asdict(model.config), "symbols": symbols}
