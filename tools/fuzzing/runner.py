"""Keeps worker processes busy, ends those that hang, and hands on what they say."""

import multiprocessing
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fuzzing.worker import Outcome, serve

MEMORY = "/dev/shm"  # noqa: S108 (where Linux keeps files in memory)
PATIENCE = 60.0  # seconds for one input, on a machine that may be busy
START = 300.0  # seconds for a process to import the loaders and to read what is sound
CHUNK = 200  # inputs of a format of share 1 that a worker is given at once

Task = tuple[str, int, int]
"""A format, and the numbers of inputs: the first, and one past the last."""


def tasks_of(shares: Mapping[str, float], inputs: int) -> Iterator[Task]:
    """Divide a number of inputs among formats by their shares; the formats take turns."""
    whole = sum(shares.values())
    left = {name: max(1, round(inputs * share / whole)) for name, share in shares.items()}
    done = dict.fromkeys(left, 0)
    while any(left.values()):
        for name, share in shares.items():
            if count := min(left[name], max(1, round(CHUNK * share))):
                yield name, done[name], done[name] + count
                done[name] += count
                left[name] -= count


class Worker:
    """A process, started anew where it hung or died."""

    def __init__(self, log: Path, modules: Sequence[str], patience: float) -> None:
        self._scratch = tempfile.mkdtemp(prefix="fuzz", dir=MEMORY if os.access(MEMORY, os.W_OK) else None)
        self._arguments, self._patience = (self._scratch, str(log), modules), patience
        self._process: Any = None

    def run(self, task: Task, tell: Callable[[str, Outcome], None]) -> None:
        """Have the inputs of a task read, whatever becomes of some of them.

        Raises:
            RuntimeError: if sound input is not accepted.
        """
        name, number, stop = task
        while number < stop:
            self._start()
            self._connection.send((name, number, stop))
            if self._answer(START) is None:
                raise RuntimeError(f"sound input of {name} is not accepted; see {self._arguments[1]}")
            while number < stop and (outcome := self._answer(self._patience)) is not None:
                tell(name, outcome)
                number += 1
            if number < stop:
                tell(name, self._end(number))
                number += 1

    def _start(self) -> None:
        if self._process is not None and self._process.is_alive():
            return
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, *self._arguments), daemon=True)
        self._process.start()
        theirs.close()

    def _answer(self, patience: float) -> Any:
        """What the process says; None if it hangs or has died."""
        try:
            return self._connection.recv() if self._connection.poll(patience) else None
        except (EOFError, ConnectionResetError):
            return None

    def _end(self, number: int) -> Outcome:
        """What is told of the input that the process hangs in, or died of."""
        self._process.join(0.5)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
            return Outcome(number, "hang", self._patience, details=f"more than {self._patience:g} seconds")
        return Outcome(number, "crash", place=f"exit code {self._process.exitcode}")

    def stop(self) -> None:
        """End the process, and remove what it wrote."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        shutil.rmtree(self._scratch, ignore_errors=True)


def run_all(
    tasks: Iterator[Task],
    tell: Callable[[str, Outcome], None],
    *,
    jobs: int,
    log: Path,
    modules: Sequence[str],
    patience: float = PATIENCE,
) -> None:
    """Do all tasks, in so many processes; `tell` is called by one thread at a time."""
    lock = threading.Lock()
    errors: list[Exception] = []

    def tell_alone(name: str, outcome: Outcome) -> None:
        with lock:
            tell(name, outcome)

    def work() -> None:
        worker = Worker(log, modules, patience)
        try:
            while not errors:
                with lock:
                    task = next(tasks, None)
                if task is None:
                    break
                worker.run(task, tell_alone)
        except Exception as error:  # told by the thread that waits for us
            errors.append(error)
        finally:
            worker.stop()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
