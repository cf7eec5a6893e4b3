"""Progress of long work on stderr: a bar with the time left on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PLAIN_SECONDS = 15.0  # between two lines where there is no terminal
_silent = False


def say(text: str) -> None:
    """Print one line for the person watching; stdout is kept for results."""
    if not _silent:
        print(text, file=sys.stderr, flush=True)


@contextmanager
def silence() -> Iterator[None]:
    """Within, nothing is said and no progress shown: of several processes that do the same, one speaks for all."""
    global _silent
    before, _silent = _silent, True
    try:
        yield
    finally:
        _silent = before


class Progress(Protocol):
    """What `progress` yields."""

    def advance(self, n: int, **values: float) -> None:
        """Count `n` more units as done; `values` (a loss, say) are shown beside."""
        ...


@contextmanager
def progress(total: int, label: str, *, unit: str = "", done: int = 0) -> Iterator[Progress]:
    """Show how far work of `total` units has come; `done` of them were finished before."""
    if _silent:
        yield _Nothing()
        return
    if not sys.stderr.isatty():
        yield _Lines(total, label, unit, done)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), unit, TimeRemainingColumn())
    with RichProgress(*columns, TextColumn("{task.fields[values]}"), console=Console(stderr=True)) as bar:
        yield _Bar(bar, bar.add_task(label, total=total, completed=done, values=""))


class _Nothing:
    def advance(self, n: int, **values: float) -> None: ...


class _Bar:
    def __init__(self, bar, task) -> None:
        self.bar, self.task = bar, task

    def advance(self, n: int, **values: float) -> None:
        self.bar.update(self.task, advance=n, values=_shown(values))


class _Lines:
    def __init__(self, total: int, label: str, unit: str, done: int) -> None:
        self.total, self.label, self.unit, self.done = total, label, unit, done
        self.start = self.last = time.monotonic()
        self.first = done

    def advance(self, n: int, **values: float) -> None:
        self.done += n
        now = time.monotonic()
        if now - self.last < PLAIN_SECONDS:
            return
        self.last = now
        rate = (self.done - self.first) / (now - self.start)
        left = f", {(self.total - self.done) / rate:.0f} s left" if rate > 0 else ""
        amount = f"{self.done:,}/{self.total:,} {self.unit}".rstrip()
        say(f"{self.label}: {amount}{left} {_shown(values)}".rstrip())


def _shown(values: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())
