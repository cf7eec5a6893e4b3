"""A trained model to and from its checkpoint."""

import dataclasses
from pathlib import Path
from typing import Any

import torch

from dl_architectures import checkpoints
from dl_architectures.seq2seq.config import ModelConfig
from dl_architectures.seq2seq.model import Seq2Seq
from dl_shared.errors import InputError


def load_model(path: Path, device: torch.device) -> tuple[Seq2Seq, tuple[int, ...]]:
    """A trained model, ready to predict, and the symbols of its vocabulary.

    Raises:
        InputError: if the checkpoint is missing, damaged, or not one of ours.
    """
    parts, values = checkpoints.load(path)
    try:
        config = ModelConfig(**values["model"])
        symbols = tuple(int(symbol) for symbol in values["symbols"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: {error}") from None
    model = Seq2Seq(config)
    checkpoints.restore(path, parts, model)
    return model.to(device).eval(), symbols


def describe(model: Seq2Seq, symbols: tuple[int, ...]) -> dict[str, Any]:
    """What `load_model` needs beside the weights."""
    return {"model": dataclasses.asdict(model.config), "symbols": symbols}
