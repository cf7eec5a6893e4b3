"""What came of all inputs: a row for each format, and a folder for each finding."""

import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dl_shared.tables import markdown_table
from fuzzing.formats import Format, write_files
from fuzzing.worker import Outcome

KEPT = 3  # inputs of each finding
LARGE = 4 << 20  # decoded bytes from which a ratio of memory means something
COLUMNS = ("format", "inputs", "refused", "accepted", "slowest ms", "memory MiB", "memory ratio", "findings")


@dataclass
class Row:
    """The outcomes of one format."""

    name: str
    ended: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    extra: int = 0
    ratio: float | None = None
    findings: Counter = field(default_factory=Counter)
    """By what tells one from another."""

    def add(self, outcome: Outcome) -> None:
        self.ended[outcome.ended] += 1
        self.slowest = max(self.slowest, outcome.seconds)
        self.extra = max(self.extra, outcome.extra)
        if outcome.decoded >= LARGE:
            self.ratio = max(self.ratio or 0.0, outcome.extra / outcome.decoded)
        if outcome.ended not in ("accepted", "refused"):
            self.findings[outcome.ended, outcome.place] += 1

    def as_json(self) -> dict[str, Any]:
        """One number for each column."""
        values = (
            self.name,
            self.ended.total(),
            self.ended["refused"],
            self.ended["accepted"],
            round(1000 * self.slowest, 1),
            round(self.extra / 2**20, 1),
            None if self.ratio is None else round(self.ratio, 2),
            len(self.findings),
        )
        return dict(zip(COLUMNS, values, strict=True))


def total(rows: Mapping[str, Row]) -> Row:
    """All formats together."""
    every = Row("all")
    for row in rows.values():
        every.ended += row.ended
        every.slowest, every.extra = max(every.slowest, row.slowest), max(every.extra, row.extra)
        every.ratio = max((ratio for ratio in (every.ratio, row.ratio) if ratio is not None), default=None)
        every.findings += Counter({(row.name, *key): count for key, count in row.findings.items()})
    return every


def as_markdown(rows: list[Row]) -> str:
    """The table."""
    return markdown_table(COLUMNS, [[_cell(value) for value in row.as_json().values()] for row in rows], left=1)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else str(value)


def keep(folder: Path, package: str, format_: Format, outcome: Outcome, count: int) -> Path | None:
    """Write down a finding with its input, unless there are enough like it."""
    if count > KEPT:
        return None
    target = folder / f"{format_.name}-{outcome.number}".replace(" ", "-")
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    again = f'nox -s "fuzz({package})" -- --only "{format_.name}" --number {outcome.number}'
    text = f"{again}\n\n{format_.name}, {outcome.ended}: {outcome.place}\n\n{outcome.details}\n"
    (target / "finding.txt").write_text(text, errors="backslashreplace")
    seed, files = format_.make(outcome.number)
    (target / "seed.txt").write_text(f"{seed}\n")
    write_files(files, target / "input")
    return target
