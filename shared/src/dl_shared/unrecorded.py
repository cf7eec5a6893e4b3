"""Trainings that keep no run: those of searches and comparisons, whose outcome alone counts."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dl_shared.processes import Follower
from dl_shared.progress import silence
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
    """Where a loop that wants a run leaves no trace and says nothing."""
    with tempfile.TemporaryDirectory() as folder, silence():
        yield _Unrecorded(Path(folder))
