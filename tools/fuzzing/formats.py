"""What an input format is: sound files, ways to break them, and the function that reads them."""

import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fuzzing.damage import Files
from fuzzing.source import Source

MODULES = {
    "shared": ("fuzzing.of_tables", "fuzzing.of_pictures", "fuzzing.of_runs", "fuzzing.of_scripts"),
    "architectures": ("fuzzing.of_models",),
    "flax": ("fuzzing.of_checkpoints",),
    "lightning": ("fuzzing.of_checkpoints",),
    "accelerate": ("fuzzing.of_checkpoints",),
    "xla": ("fuzzing.of_checkpoints",),
}
"""With the formats that are read in the environment of each package."""
RARELY = 1 / 150  # how often a seed whose name begins with `large` is taken


@dataclass(frozen=True, kw_only=True)
class Format:
    """One kind of input.

    Attributes:
        name: of the format.
        seeds: by name, functions that write a sound input into an empty folder.
        break_: makes some of the files wrong.
        read: what is tested; it takes the file (or the folder, where there are several) and the name of the seed.
        share: of all inputs, against 1 for most formats: less where one takes long.
        is_cache: whether the files lie in the cache rather than where a user gives them.
    """

    name: str
    seeds: Mapping[str, Callable[[Path], Any]]
    break_: Callable[[Files, Source], Files]
    read: Callable[[Path, str], Any]
    share: float = 1.0
    is_cache: bool = False

    def make(self, number: int) -> tuple[str, Files]:
        """The input of that number, and the seed it was made from: always the same."""
        source = Source(self.name, number)
        large = source.rng.random() < RARELY
        names = [name for name in self.seeds if name.startswith("large") == large] or list(self.seeds)
        name = source.rng.choice(names)
        return name, self.break_(self.seed(name), source)

    def seed(self, name: str) -> Files:
        """The sound files."""
        return dict(_written(self.seeds[name]))


@lru_cache(maxsize=64)
def _written(write: Callable[[Path], Any]) -> Files:
    cache = os.environ.get("DL_CACHE_DIR")
    folder = Path(tempfile.mkdtemp())
    os.environ["DL_CACHE_DIR"] = str(folder)  # where the seeds of a cache are written
    try:
        write(folder)
        return read_files(folder)
    finally:
        os.environ.pop("DL_CACHE_DIR") if cache is None else os.environ.update(DL_CACHE_DIR=cache)
        shutil.rmtree(folder)


def read_files(folder: Path) -> Files:
    """All files below a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def write_files(files: Files, folder: Path) -> Path:
    """Write them; returns the file itself where there is one."""
    for name, raw in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(raw)
    return folder / next(iter(files)) if len(files) == 1 and "/" not in next(iter(files)) else folder


def formats_of(modules: Iterable[str]) -> dict[str, Format]:
    """Those in the lists FORMATS of some modules, by name. The loaders are imported here."""
    found = [format_ for name in modules for format_ in importlib.import_module(name).FORMATS]
    return {format_.name: format_ for format_ in found}
