"""A training killed at random moments of its whole life, resumed each time, and compared with one never stopped.

A run is killed up to five times before it ends. Each moment is random within a part of the run's life, and the parts
take turns, because small runs spend most of their time outside of what is most easily broken: on the way to the first
checkpoint, while a file is written, on taking up a checkpoint, in training, in the test and the report after it. Where
a kill has really fallen is told afterwards, from what it has left behind.
"""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from dl_shared.errors import InputError
from dl_shared.files import unfinished
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.forked import Forked
from dl_shared.testing.records import record
from dl_shared.testing.training import Training

Part = Literal["start", "save", "training", "report"]
PARTS: tuple[Part, ...] = ("start", "save", "start", "training", "report")
"""Of a run's life, in which it is killed in turn; the second start is that of a process which resumes."""

MOST = 0.75  # of new runs have begun when they are killed at their start: before that, nothing can be broken
_random = random.SystemRandom()  # other moments each time
_asked = int(os.environ.get("DL_KILLS", "1"))
KILLS = [min(len(PARTS), _asked - made) for made in range(0, _asked, len(PARTS))]
"""How often each of a project's runs is killed: one run and one kill, unless `$DL_KILLS` asks for more."""
_ORBAX = "orbax-checkpoint-tmp"  # in the names of folders that Orbax is writing


@dataclass(frozen=True)
class Kill:
    """What is recorded of one."""

    seconds: float
    """Since its process began."""
    resuming: bool
    """Whether that process had a killed run to take up."""
    fell: str
    """`before the run`, `before a checkpoint`, `in training`, or `in the report`, which begins with the test."""
    epoch: float
    """The last one logged."""
    half_written: tuple[str, ...]
    """Files under the temporary names that they have while they are written, relative to the run."""
    during_save: bool
    """Whether a checkpoint is among them."""


def survive(
    training: Training, kills: int, runs: Path, whole: Path, assert_same_end: Callable[[Path, Path], None]
) -> None:
    """Kill and resume, until so many kills are made; check that each run ends as `whole` does.

    Args:
        training: of the project.
        kills: how many.
        runs: a folder for them.
        whole: a run never stopped.
        assert_same_end: of a run and `whole`.
    """
    runs.mkdir(exist_ok=True)
    made = 0
    while made < kills:
        victim = _Victim(training, Path(tempfile.mkdtemp(dir=runs)), whole)
        done = victim.killed(kills - made)
        made += len(done)
        with _recorded(training.project, done):
            print("\n".join(map(str, done)))  # seen if something differs
            run = victim.ended()
            assert half_written(run) == (), "a run that has ended keeps nothing half-written"
            assert_same_end(run, whole)


@contextmanager
def _recorded(project: str, kills: list[Kill]) -> Iterator[None]:
    equal = False
    try:
        yield
        equal = True
    finally:
        record(project, kills=[asdict(kill) for kill in kills], equal=equal)


def half_written(run: Path) -> tuple[str, ...]:
    """What lies in a run under a temporary name, relative to the run."""
    folders = (Path(parent, name) for parent, names, _ in os.walk(run) for name in names if _ORBAX in name)
    return tuple(sorted(str(path.relative_to(run)) for path in (*unfinished(run), *folders)))


class _EndedError(Exception):
    """The process was faster than the kill."""


class _Victim:
    """A run that is killed again and again.

    Args:
        training: whose.
        runs: a folder of its own.
        whole: a run never stopped, whose files tell how long the parts of a run's life take.
    """

    def __init__(self, training: Training, runs: Path, whole: Path) -> None:
        self.training, self.runs = training, runs
        self.rows = len(_log(whole))
        begun, ended = ((whole / name).stat().st_mtime for name in ("config.json", "report.html"))
        trained = max((file.stat().st_mtime for file in _logs(whole)), default=ended)
        self.train_seconds = read_summary(whole)["cost"].get("train_seconds", trained - begun)
        self.report_seconds = ended - trained
        self.start_seconds = max(trained - self.train_seconds - begun, 0.5)

    @property
    def run(self) -> Path | None:
        """None before its process has come so far."""
        try:
            return find_run("last", self.runs, self.training.project)
        except InputError:
            return None

    def killed(self, times: int) -> list[Kill]:
        """Kill it so often at most: each part of its life is cut short once, and a run that has ended is not killed."""
        parts = PARTS if self.rows else (PARTS[0],) * len(PARTS)  # it is always at its start, if it logs nothing
        done: list[Kill] = []
        for place in sorted(_random.sample(range(len(parts)), min(times, len(parts)))):
            run = self.run
            litter = () if run is None else half_written(run)  # gone as soon as the process takes up the run
            with self.training.fork(self.runs, resume=run) as process:
                begun = time.monotonic()
                try:
                    self.await_moment(parts[place], process)
                except _EndedError:
                    assert process.wait() == 0, process.said()
                    break
                seconds = time.monotonic() - begun
                if process.kill() == 0:
                    break
                assert process.status == -signal.SIGKILL, process.said()
            done.append(self.describe(seconds, litter, resuming=run is not None))
            if self.has_ended():
                break
        return done

    def has_ended(self) -> bool:
        run = self.run
        return run is not None and read_summary(run)["status"] == "finished"

    def ended(self) -> Path:
        """The run, resumed to its end."""
        if not self.has_ended():
            with self.training.fork(self.runs, resume=self.run) as process:
                assert process.wait() == 0, process.said()
        run = self.run
        assert run is not None
        assert self.has_ended()
        return run

    def await_moment(self, part: Part, process: Forked) -> None:
        """Return at a random moment in a part of the process's life.

        Raises:
            _EndedError: if there is no such moment.
        """
        if part == "start":
            if self.run is None and _random.random() < MOST:
                _wait(process, lambda: self.run is not None, every=0.002)
            _pause(process, _random.uniform(0, self.start_seconds))
        elif part == "report":
            _wait(process, lambda: self.run is not None and len(_log(self.run)) == self.rows, every=0.01)
            _pause(process, _random.uniform(0, self.report_seconds))
        else:
            before = self.newest_checkpoint()
            _wait(process, lambda: self.newest_checkpoint() != before, every=0.002)
            _pause(process, _random.uniform(0, self.train_seconds / 3))
            if part == "save":
                _wait(process, lambda: self.run is not None and self.saving(half_written(self.run)), every=0.0)

    def saving(self, files: tuple[str, ...]) -> bool:
        return any(file.startswith(self.training.checkpoint.partition("/")[0]) for file in files)

    def newest_checkpoint(self) -> int:
        """When it was written, in nanoseconds; 0 if there is none."""
        run = self.run
        if run is None:
            return 0
        found = [path for path in run.glob(self.training.checkpoint) if path.name[0] != "." and _ORBAX not in path.name]
        try:
            return max((path.stat().st_mtime_ns for path in found), default=0)
        except FileNotFoundError:  # a newer one has taken its place meanwhile
            return self.newest_checkpoint()

    def describe(self, seconds: float, litter: tuple[str, ...], *, resuming: bool) -> Kill:
        run = self.run
        if run is None:
            return Kill(round(seconds, 3), resuming, "before the run", 0.0, (), False)
        log, files = _log(run), tuple(file for file in half_written(run) if file not in litter)
        if self.rows and len(log) == self.rows:
            fell = "in the report"
        else:
            fell = "in training" if self.newest_checkpoint() else "before a checkpoint"
        epoch = float(max((row["epoch"] for row in log), default=0))
        return Kill(round(seconds, 3), resuming, fell, epoch, files, self.saving(files))


def _logs(run: Path) -> list[Path]:
    """A run may have several trainings in it, each with a log."""
    return [Path(parent, name) for parent, _, names in os.walk(run) for name in names if name == "metrics.jsonl"]


def _log(run: Path) -> list[Mapping[str, Any]]:
    """All rows logged."""
    return [row for file in _logs(run) for row in read_history(file.parent)]


def _wait(process: Forked, reached: Callable[[], bool], *, every: float) -> None:
    while not reached():
        if process.status is not None:
            raise _EndedError
        time.sleep(every)


def _pause(process: Forked, seconds: float) -> None:
    end = time.monotonic() + seconds
    _wait(process, lambda: time.monotonic() >= end, every=0.002)
