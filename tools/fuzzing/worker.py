"""The process that reads broken input: one after another, each in an empty folder, and says how each went."""

import os
import shutil
import socket
import time
import traceback
import warnings
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fuzzing import measure
from fuzzing.formats import Format, formats_of, write_files

LONGEST_MESSAGE = 2000  # letters of a refusal; more is no line for a person to read
OURS = ("dl_shared", "packages", "fuzzing")


@dataclass(frozen=True)
class Outcome:
    """How one input went."""

    number: int
    ended: str
    """`accepted` or `refused`; or a finding: `traceback`, `message`, `memory`, `hang` or `crash`."""
    seconds: float = 0.0
    extra: int = 0
    """Bytes of memory at the most, beyond those before."""
    decoded: int = 0
    """Bytes of the input once decoded."""
    place: str = ""
    """Of a finding: what tells it from others of its format."""
    details: str = ""


def serve(connection: Connection, scratch: str, log: str, modules: Sequence[str]) -> None:
    """Answer (format, first, stop) with an outcome for each number, until there is no more to do."""
    _prepare(Path(scratch), Path(log))
    formats = formats_of(modules)
    warm: set[str] = set()
    while (task := connection.recv()) is not None:
        name, first, stop = task
        if name not in warm:
            check_seeds(formats[name])
            warm.add(name)
        connection.send("ready")
        for number in range(first, stop):
            connection.send(examine(formats[name], number))


def _prepare(scratch: Path, log: Path) -> None:
    """No network, no waiting, no browser, no home; what libraries print themselves goes to a file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ |= {"DL_SCRATCH": str(scratch), "HOME": str(scratch / "home"), "HF_HUB_OFFLINE": "1"}
    os.environ |= {"DL_YAHOO_URL": "http://127.0.0.1:9", "DL_RUNS_DIR": str(scratch / "runs"), "MPLBACKEND": "agg"}
    for name in ("home", "runs"):
        (scratch / name).mkdir(exist_ok=True)
    warnings.simplefilter("always")  # what a fresh process would print is printed each time
    warnings.simplefilter("ignore", DeprecationWarning)
    time.sleep = lambda seconds: None
    webbrowser.open = lambda *_, **__: True
    connect = socket.socket.connect

    def connect_here(self: Any, address: Any) -> None:
        if address[0] not in ("127.0.0.1", "::1"):
            raise OSError("there is no network here")
        connect(self, address)

    socket.socket.connect = connect_here  # type: ignore[method-assign]


def _clean() -> Path:
    """Empty folders for input, cache and work."""
    scratch = Path(os.environ["DL_SCRATCH"])
    os.chdir(scratch)
    for name in ("input", "cache", "work"):
        shutil.rmtree(scratch / name, ignore_errors=True)
        (scratch / name).mkdir()
    os.chdir(scratch / "work")
    os.environ["DL_CACHE_DIR"] = str(scratch / "cache")
    return scratch


def check_seeds(format_: Format) -> None:
    """Sound input is accepted, or all that follows would prove nothing. All that is imported late, is by now."""
    for seed in format_.seeds:
        if not seed.startswith("large"):
            format_.read(_place(format_, format_.seed(seed)), seed)


def _place(format_: Format, files: dict[str, bytes]) -> Path:
    scratch = _clean()
    return write_files(files, scratch / ("cache" if format_.is_cache else "input"))


def examine(format_: Format, number: int) -> Outcome:
    """Make the input of that number, have it read, and look at what came of it."""
    from dl_shared.errors import InputError

    seed, files = format_.make(number)
    path = _place(format_, files)
    decoded = measure.decoded_size(files)
    ended, place, details, result = "accepted", "", "", None
    start = time.perf_counter()
    with measure.Memory() as memory, measure.bounded(decoded):
        try:
            result = format_.read(path, seed)
        except InputError as error:
            ended, details = "refused", str(error)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too, and what Rust panics with
            ended, place, details = "traceback", _place_of(error), traceback.format_exc()[-6000:]
    seconds = time.perf_counter() - start
    decoded = max(decoded, measure.size_of(result))
    if ended == "refused" and (not details.strip() or "\n" in details.strip() or len(details) > LONGEST_MESSAGE):
        ended, place = "message", details[-60:]
    if ended in ("accepted", "refused") and memory.extra > measure.TIMES * decoded + measure.BESIDES:
        ended, place = "memory", ended
        details = f"{memory.extra:,} bytes for an input of {decoded:,}"
    return Outcome(number, ended, seconds, memory.extra, decoded, place, details)


def _place_of(error: BaseException) -> str:
    """The kind of error, and the innermost line of ours that it came through."""
    lines = [
        f"{Path(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if any(name in frame.filename for name in OURS) and "site-packages" not in frame.filename
    ]
    return f"{type(error).__name__} at {lines[-1] if lines else '?'}"
