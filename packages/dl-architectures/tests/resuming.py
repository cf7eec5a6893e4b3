"""Trainings of this package from outside, and what two runs of theirs end with."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from dl_shared.testing import training


class Training(training.Training):
    package = "dl_architectures"
    checkpoint = "checkpoints/*.safetensors"
    imported = (
        "dl_architectures.seq2seq.train",
        "dl_architectures.cnn_compare.grid",
        "dl_architectures.nlp.training.language_model.train",
        "dl_architectures.nlp.training.pictures.train",
    )


class Comparison(Training):
    checkpoint = "cells/*/*/*/*.safetensors"


def options_of(config: Any) -> dict[str, Any]:
    """The fields of a configuration that a flag has to set."""
    values = {field.name: (getattr(config, field.name), field.default) for field in dataclasses.fields(config)}
    return {name: value for name, (value, default) in values.items() if value != default}


def assert_same_tensors(run: Path, reference: Path, pattern: str) -> None:
    """The files of both runs that match hold the same tensors, bit for bit."""
    names = [path.relative_to(reference) for path in reference.glob(pattern)]
    assert names
    assert sorted(path.relative_to(run) for path in run.glob(pattern)) == sorted(names)
    for name in names:
        ours, theirs = load_file(run / name), load_file(reference / name)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == [], name
