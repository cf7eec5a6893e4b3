"""A console script in a process forked from one that has imported its framework: for tests that start it many times.

Importing a framework takes seconds, and a project that is killed and resumed 25 times is started over thirty times.
Python's own fork server imports once and forks from then on. It starts no thread and touches no device, so that a child
of it is what a process of its own is after its imports; and the signals that end it are real ones.
"""

import importlib
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from unittest import mock

PREPARED = "jemalloc_bg_thd"
"""A thread that PyArrow's allocator starts as soon as it is loaded, and starts again in a forked process."""
_context = multiprocessing.get_context("forkserver")


class Forked:
    """`<script> <arguments>` in a process of its own.

    Args:
        module: with the script's `main`.
        arguments: what is typed after its name.
        imported: modules that are imported before the first of these processes is forked, and once for all of them;
            those of a script that is started later are imported by each of its processes.
    """

    def __init__(self, module: str, arguments: Sequence[str], imported: Sequence[str] = ()) -> None:
        _context.set_forkserver_preload([__name__, *imported])
        with tempfile.NamedTemporaryFile(prefix="said-", delete=False) as file:
            self._said = Path(file.name)
        self._process = _context.Process(target=_main, args=(module, list(arguments), dict(os.environ), file.name))
        with mock.patch.dict(sys.modules, __main__=ModuleType("__main__")):  # else each would run what started us
            self._process.start()

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._process.exitcode

    def kill(self) -> int:
        """SIGKILL, if it still runs; returns the exit status once it is gone."""
        self._process.kill()
        return self.wait()

    def wait(self) -> int:
        """Returns the exit status once it has ended."""
        self._process.join()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def said(self) -> str:
        """All that it has printed so far."""
        return self._said.read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.close()
        self._said.unlink()


def _main(module: str, arguments: list[str], environment: Mapping[str, str], said: str) -> None:
    with open(said, "wb", buffering=0) as file:
        for standard in (1, 2):
            os.dup2(file.fileno(), standard)
    names = [file.read_text().strip() for file in Path(f"/proc/{os.getppid()}/task").glob("*/comm")]
    threads = [name for name in names if name != PREPARED]
    assert len(threads) <= 1, f"forked from a process with the threads {threads}"
    os.environ.clear()
    os.environ.update(environment)
    script = importlib.import_module(module)
    sys.argv = [str(script.__file__), *arguments]
    sys.exit(script.main(arguments))
