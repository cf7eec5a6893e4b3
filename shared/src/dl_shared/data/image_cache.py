"""Decoded images kept on disk, so that a data set is decoded once."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dl_shared.data.image_sets import Decoded, Split
from dl_shared.errors import InputError
from dl_shared.files import cache_dir, fingerprint, read_json, write_json

VERSION = 1  # raise it when decoding changes its results
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Stored:
    """Decoded images, both parts at hand, with the SHA-256 of the four arrays."""

    train: Split
    test: Split
    class_names: tuple[str, ...]
    quirks: tuple[str, ...]
    fingerprint: str


def decoded_once(name: str, files: Iterable[Path], decode: Callable[[], Decoded]) -> Stored:
    """What `decode` returns, from the cache when these very files were decoded before.

    Files count as the same while path, size and time of change are; a cache that is damaged is built anew.

    Args:
        name: the data set and the layout, part of the key.
        files: every file that `decode` reads.
        decode: called when nothing usable is stored; must return both parts.
    """
    folder = cache_dir() / "images" / _key(name, files)
    stored = _read(folder)
    if stored is None:
        stored = _write(folder, decode())
    return stored


def _key(name: str, files: Iterable[Path]) -> str:
    digest = hashlib.sha256(f"{VERSION} {name}".encode())
    for file in sorted(files):
        try:
            stat = file.stat()
        except OSError as error:  # a link that leads nowhere
            raise InputError(f"{file} cannot be read: {error.strerror}") from None
        digest.update(f"\0{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:32]


def _read(folder: Path) -> Stored | None:
    try:
        meta = read_json(folder / "meta.json")
        arrays = [np.load(folder / f"{name}.npy", allow_pickle=False) for name in ARRAYS]
        if fingerprint(*arrays) != meta["fingerprint"]:
            return None
        names, quirks = tuple(meta["class_names"]), tuple(meta["quirks"])
    except Exception:  # absent, or damaged in whatever way: decode again
        return None
    return Stored(Split(*arrays[:2]), Split(*arrays[2:]), names, quirks, meta["fingerprint"])


def _write(folder: Path, decoded: Decoded) -> Stored:
    """Fill a folder beside the target, then rename it: other processes see all of it or nothing."""
    train, test = decoded.train, decoded.test
    if test is None:
        raise ValueError("both parts must be at hand before they are stored")
    arrays = (train.images, train.labels, test.images, test.labels)
    stored = Stored(train, test, decoded.class_names, decoded.quirks, fingerprint(*arrays))
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".", dir=folder.parent))
    try:
        for name, array in zip(ARRAYS, arrays, strict=True):
            np.save(temporary / f"{name}.npy", array, allow_pickle=False)
        meta = {"class_names": stored.class_names, "quirks": stored.quirks, "fingerprint": stored.fingerprint}
        write_json(temporary / "meta.json", meta)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            temporary.rename(folder)
        except OSError:  # another process was first, with the same content
            if not (folder / "meta.json").exists():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return stored
