"""Integer sequences to reverse: read from a text file, split so that no sequence is in two parts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from dl_shared.errors import InputError

MAX_NUMBERS = 100_000_000  # of all sequences, padded to the longest

_INTEGER = re.compile(r"[+-]?[0-9]+")
_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True)
class Sequences:
    """Integer sequences of different lengths in one array."""

    values: Int[np.ndarray, "sequences positions"]
    """One sequence a row, with zeros behind its end."""
    lengths: Int[np.ndarray, " sequences"]

    def __len__(self) -> int:
        return len(self.lengths)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> "Sequences":
        """Pad rows of different lengths to the longest."""
        lengths = np.array([len(row) for row in rows], np.int64)
        values = np.zeros((len(rows), int(lengths.max(initial=0))), np.int64)
        values[np.arange(values.shape[1]) < lengths[:, None]] = [value for row in rows for value in row]
        return cls(values, lengths)

    def rows(self) -> list[list[int]]:
        """The sequences without their padding."""
        return [row[:length] for row, length in zip(self.values.tolist(), self.lengths.tolist(), strict=True)]

    def take(self, rows: Int[np.ndarray, " taken"]) -> "Sequences":
        """Some of the sequences, in the order of `rows`, padded no further than the longest of them needs."""
        lengths = self.lengths[rows]
        return Sequences(self.values[rows, : int(lengths.max(initial=0))], lengths)

    def reversed(self) -> "Sequences":
        """Each sequence back to front."""
        positions = self.lengths[:, None] - 1 - np.arange(self.values.shape[1])
        turned = np.take_along_axis(self.values, np.maximum(positions, 0), axis=1)
        return Sequences(np.where(positions >= 0, turned, 0), self.lengths)

    def keys(self) -> list[bytes]:
        """One key a sequence: equal keys mean equal sequences."""
        rows = zip(np.ascontiguousarray(self.values, np.int64), self.lengths.tolist(), strict=True)
        return [row[:length].tobytes() for row, length in rows]


def read_sequences(path: Path) -> Sequences:
    """Read a text or CSV file: one sequence a line, its integers apart by spaces, tabs, commas or semicolons.

    Blank lines are skipped, and so is a first line without any digit (a header).

    Raises:
        InputError: if there is no such file, it is not text, holds no sequence, or a line holds anything but integers;
            the message names the line.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; give a text file of integer sequences, or --data sample")
    if not path.is_file():
        raise InputError(f"{path} is not a file; give a text file with one integer sequence a line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text file; it must hold one integer sequence a line") from None
    rows = []
    for number, line in enumerate(lines, start=1):
        header = number == 1 and not any(map(str.isdigit, line))
        if line.strip() and not header:
            rows.append(_parse(line, f"{path}, line {number}"))
    if not rows:
        raise InputError(f"{path} holds no sequence; it must hold one integer sequence a line")
    longest = max(map(len, rows))
    if longest * len(rows) > MAX_NUMBERS:
        raise InputError(
            f"{path} has {len(rows):,} sequences, the longest of {longest:,} integers: padded to that length they would"
            f" be more than {MAX_NUMBERS:,} integers; leave out the longest"
        )
    return Sequences.from_rows(rows)


def parse_sequence(text: str) -> list[int]:
    """One sequence as a person types it: `3 1 4 1 5` or `3,1,4,1,5`.

    Raises:
        InputError: if it is empty or holds anything but integers.
    """
    return _parse(text, f"the sequence {text!r}")


def _parse(text: str, where: str) -> list[int]:
    words = text.translate(str.maketrans(',;"', "   ")).split()
    if not words:
        raise InputError(f"{where}: no integer in it")
    for word in words:
        if not _INTEGER.fullmatch(word):
            raise InputError(f"{where}: {word[:40]!r} is not an integer")
        if len(word) > 20 or not _INT64.min <= int(word) <= _INT64.max:
            raise InputError(f"{where}: {word[:40]} does not fit into 64 bits")
    return [int(word) for word in words]


def drop_repeats(sequences: Sequences) -> Sequences:
    """The first of each distinct sequence, in their order."""
    first: dict[bytes, int] = {}
    for row, key in enumerate(sequences.keys()):
        first.setdefault(key, row)
    return sequences.take(np.fromiter(first.values(), np.int64, len(first)))


def shared_sequences(first: Sequences, second: Sequences) -> int:
    """How many sequences of `second` are also in `first`."""
    known = set(first.keys())
    return sum(key in known for key in second.keys())  # noqa: SIM118 (not a dict)
