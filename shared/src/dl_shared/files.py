"""Files that appear whole or not at all, the cache folder, and fingerprints of data."""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from dl_shared.errors import InputError

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}(\.[^.]+)?")


def cache_dir() -> Path:
    """`$DL_CACHE_DIR`, else the platform's user cache; created when missing."""
    path = Path(os.environ.get("DL_CACHE_DIR") or platformdirs.user_cache_dir("dl-shared"))
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what was written there takes its place, or vanishes on an error.

    The name keeps its suffix, because writers choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def unfinished(folder: Path) -> list[Path]:
    """What `atomic_path` is writing in a folder, at any depth, or was writing when its process was killed."""
    files = (Path(parent, name) for parent, _, names in os.walk(folder) for name in names)
    return [file for file in files if _TEMPORARY.fullmatch(file.name)]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity, which JSON lacks, are refused.

    Raises:
        ValueError: on a number that is not finite.
    """
    write_text(path, json.dumps(value, indent=2, allow_nan=False, default=_plain) + "\n")


def as_written(value: Any) -> Any:
    """What `read_json` gives back of a value, without the file."""
    return json.loads(json.dumps(value, allow_nan=False, default=_plain))


def _plain(value: Any) -> Any:
    """JSON's view of NumPy scalars, arrays and paths."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"cannot write a {type(value).__name__} as JSON")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: if it is missing, unreadable or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_int=_whole_number)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError, RecursionError) as error:  # ValueErrors: no UTF-8, no JSON, a number beyond 64 bits
        raise InputError(f"{path} cannot be read: {error}") from None


def _whole_number(digits: str) -> int:
    """Of at most 64 bits: a longer one is damage, and a library that takes it for a number of layers never ends."""
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise ValueError(f"{digits[:20]}... has more than 64 bits")
    return number


def fingerprint(*parts: np.ndarray | Sequence[str]) -> str:
    """SHA-256 (hexadecimal) over the type, shape and bytes of arrays, and over lists of strings."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype != object:
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).data)
        else:
            for text in part:
                encoded = str(text).encode("utf-8", "surrogatepass")
                digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()
