"""Formats whose readers fail in every way that the fuzzer must see, and one that is sound."""

import os
from pathlib import Path

import numpy as np
from fuzzing.damage import by_bytes
from fuzzing.formats import Format

from dl_shared.errors import InputError

SOUND = bytes(range(200))


def _read(defect):
    """A reader that refuses what has not the right beginning, and has a defect where a byte in the middle is odd."""

    def read(path: Path, seed: str) -> int:
        raw = path.read_bytes()
        if raw[:4] != SOUND[:4]:
            raise InputError("it does not begin as it should")
        if raw[100:104] != SOUND[100:104]:
            defect()
        return len(raw)

    return read


def _hang():
    while True:
        pass


def _refuse_in_two_lines():
    error = InputError("")
    error.args = ("first\nsecond",)
    raise error


DEFECTS = {
    "sound": lambda: None,
    "traceback": lambda: [][1],
    "hang": _hang,
    "crash": lambda: os._exit(7),
    "memory": lambda: np.ones(100 << 20, np.uint8),
    "message": _refuse_in_two_lines,
}

FORMATS = [
    Format(
        name=name,
        seeds={"whole": lambda folder: (folder / "a.bin").write_bytes(SOUND)},
        break_=lambda files, source: by_bytes(files, source.rng),
        read=_read(defect),
        share=0.15 if name in ("hang", "crash") else 1.0,  # each of which costs a process
    )
    for name, defect in DEFECTS.items()
]
