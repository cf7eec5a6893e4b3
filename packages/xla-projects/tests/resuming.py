"""Runs of this package stopped and resumed, and what two runs end with."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dl_shared import checkpoints
from dl_shared.testing import training
from xla_projects.keeper import Keeper


class Training(training.Training):
    package = "xla_projects"
    checkpoint = "checkpoints/last.safetensors"
    imported = ("xla_projects.cifar10.train", "xla_projects.imdb.train", "xla_projects.stocks.train")

    def on_four_devices(self, runs: Path, **more: Any) -> subprocess.Popen[str]:
        """The command in a process of its own, whose CPU counts as four devices."""
        command = [*self.script, "train", *self.flags(runs, devices=4, **more)]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


class Stopped(BaseException):
    """Ends a training where a test wants it."""


@contextmanager
def stopped_after(step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A training within ends once that update is in its checkpoint."""
    save = Keeper.save

    def saved_for_the_last_time(keeper: Keeper, *, ended: bool = False) -> None:
        save(keeper, ended=ended)
        if keeper.at.step == step:
            raise Stopped

    monkeypatch.setattr(Keeper, "save", saved_for_the_last_time)
    with pytest.raises(Stopped):
        yield
    monkeypatch.undo()


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same arrays in both checkpoints, bit for bit, the same log and the same predictions."""
    training.assert_same_results(run, reference)
    for name in ("last", "best"):
        (parts, values), (others, other_values) = (
            checkpoints.load(path / "checkpoints" / f"{name}.safetensors") for path in (run, reference)
        )
        for found in (values, other_values):
            found.pop("train_seconds", None)
        assert values == other_values
        assert parts.keys() == others.keys()
        for part, arrays in parts.items():
            assert arrays.keys() == others[part].keys()
            for key, array in arrays.items():
                assert np.array_equal(array, others[part][key]), f"{name}: {part} {key}"


def weights_of(run: Path) -> dict[str, np.ndarray]:
    """Of the best epoch."""
    parts, _ = checkpoints.load(run / "checkpoints" / "best.safetensors")
    return parts["model"]
