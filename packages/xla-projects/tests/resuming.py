"""Runs of this package stopped and resumed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

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

    def saved_for_the_last_time(keeper: Keeper) -> None:
        save(keeper)
        if keeper.position.step == step:
            raise Stopped

    monkeypatch.setattr(Keeper, "save", saved_for_the_last_time)
    with pytest.raises(Stopped):
        yield
    monkeypatch.undo()
