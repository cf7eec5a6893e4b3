"""The memory that reading an input takes, and the size of its content once decoded."""

import contextlib
import ctypes
import dataclasses
import io
import pickletools
import resource
import sys
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.damage import Files

TIMES = 2
"""Memory that reading may take, in sizes of the decoded input,"""
BESIDES = 64 << 20
"""and bytes beside it, for what libraries import and keep."""
RESERVED = 2 << 30
"""Bytes of addresses that may be reserved beside, most of them never used: threads and allocators ask for much."""
CELL = 64
"""Bytes of a cell of a table as a string of Python's, without its letters."""
OBJECT = 200
"""Bytes of a list or a dictionary in a pickle, which makes one of a single byte."""
LARGEST = 1 << 30

_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
_STATUS = Path("/proc/self/status")


def _status(field: str) -> int:
    """Bytes, from Linux's account of this process; 0 elsewhere."""
    if not _STATUS.exists():
        return 0
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) << 10


class Memory:
    """The most that was taken within a `with`, beyond what there was before; on Linux exact for each use."""

    extra = 0

    def __enter__(self) -> "Memory":
        self._linux = _STATUS.exists()
        if self._linux:
            if _give_back is not None:  # else what was freed before is taken again, and does not count
                _give_back(0)
            Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
            self._before = _status("VmRSS:")
        else:
            self._before = self._highest()
        return self

    def __exit__(self, *_: object) -> None:
        self.extra = max(0, (_status("VmHWM:") if self._linux else self._highest()) - self._before)

    @staticmethod
    def _highest() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def bounded(decoded: int) -> Iterator[None]:
    """Within, memory far beyond what is allowed cannot even be asked for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if _STATUS.exists():
        resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize:") + RESERVED + TIMES * decoded, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def decoded_size(files: Files) -> int:
    """Bytes that the files hold once decompressed: of pictures their pixels, of tables their cells as text."""
    return sum(_decoded(name, raw) for name, raw in files.items())


def _decoded(name: str, raw: bytes) -> int:
    if raw[:2] == b"\x1f\x8b":
        return len(raw) + _decompressed(raw)
    if "_batch" in name:
        return len(raw) + OBJECT * _operations(raw)
    if name.endswith((".csv", ".txt")):
        return len(raw) + CELL * sum(map(raw.count, (b",", b"\n", b" ")))
    return len(raw) + _pixels(raw)


def _operations(raw: bytes) -> int:
    """Of a pickle, up to where it is damaged."""
    count = 0
    with contextlib.suppress(Exception):  # whatever a damaged one makes of it
        for _ in pickletools.genops(raw):
            count += 1
    return count


def _decompressed(raw: bytes) -> int:
    stream, size = zlib.decompressobj(wbits=31), 0
    try:
        while raw and not stream.eof and size < LARGEST:
            size += len(stream.decompress(raw, 1 << 20))
            raw = stream.unconsumed_tail
    except zlib.error:
        pass
    return size


def _pixels(raw: bytes) -> int:
    """Pillow keeps four bytes a pixel of colour; what it refuses to open has none."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(raw)) as image:
                return 4 * image.width * image.height
        except Exception:  # of a damaged picture, whatever it be
            return 0


def size_of(value: Any) -> int:
    """Bytes of what a loader returned."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if hasattr(value, "memory_usage"):
        return int(np.sum(value.memory_usage(deep=True)))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return size_of(vars(value))
    if isinstance(value, Mapping):
        return sum(map(size_of, value.values()))
    if isinstance(value, list | tuple):
        return sys.getsizeof(value) + sum(map(size_of, value))
    return sys.getsizeof(value)
