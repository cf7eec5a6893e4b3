"""Trainings that keep no run: those of searches and comparisons, whose outcome alone counts."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dl_shared.errors import InputError
from dl_shared.processes import Follower
from dl_shared.runs import Run


class _Unrecorded(Follower):
    """A run that nothing is written to but checkpoints, in a folder that does not last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.summary = {"data": {}, "metrics": {}, "cost": {}}
        self.resumed = self.stop_requested = False
        self.checkpoints = path / "checkpoints"


@contextmanager
def unrecorded_run() -> Iterator[Run]:
    """Where a loop that wants a run leaves no trace and says nothing.

    Raises:
        InputError: in one of several processes that train as one.
    """
    refuse_several()
    with tempfile.TemporaryDirectory() as folder:
        yield _Unrecorded(Path(folder))


def refuse_several() -> None:
    """For verbs that train one network after another.

    Raises:
        InputError: in one of several processes that train as one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("this verb trains one network after another: start it without `accelerate launch`")
