"""What `nox -s bench` measured: its JSON file, and its table.

The file is one object. `format` is "dl-bench", `version` 1, `made` the time (ISO 8601, UTC), `commit` what `git
describe` says or null; `machine`, `benchmarks` (an object by script) and `rows` (a list) hold the fields of `Machine`,
`Measured` and `Row` below, under the same names. Rates are per second, peaks operations per second. A later version
may add to this; what changes the meaning of a field gets another number.
"""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, get_origin

from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json

FORMAT, VERSION = "dl-bench", 1
REFERENCES = ("textbook", "eager")
"""What our loop stands beside, the first of which there is."""
COLUMNS = ("project", "loop", "precision", "rate", "spread", "of peak", "to the textbook")
LEGEND = (
    "Rates are medians of the repeats, of which half lie within the spread; `of peak` is the share of a matrix product"
    " that was measured beside it, `to the textbook` the ratio to the loop of most tutorials, or to eager PyTorch's."
)
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """The rate of a loop: the median of its repeats, half of which lie from `low` to `high`.

    Attributes:
        benchmark: the script that measured it.
        case: the network, length, ... that it was measured with; empty where there is only one.
        kind: `ours`, `textbook`, `eager` (the same update by eager PyTorch) or `other`.
        low: null where nothing was repeated, as is `high`.
        of_peak: the share of the machine's peak in that precision; null where it is not known.
    """

    benchmark: str
    project: str
    case: str
    loop: str
    kind: str
    precision: str
    rate: float
    unit: str
    low: float | None
    high: float | None
    repeats: int
    of_peak: float | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What identifies the row in another run."""
        return self.project, self.case, self.loop, self.precision

    @property
    def label(self) -> str:
        return f"{self.case}: {self.loop}" if self.case else self.loop


@dataclass(frozen=True)
class Measured:
    """How a benchmark was run, and what it ran on; `device` and what follows come from itself.

    Attributes:
        options: of its command.
        seconds: that it took; null where its environment could not be built.
        trouble: why it did not end well; empty if it did.
        threads: that its framework computes with; null where the framework does not tell.
        peaks: operations per second of a large matrix product, by precision.
    """

    package: str
    options: list[str]
    seconds: float | None
    trouble: str
    device: str
    threads: int | None
    versions: dict[str, str]
    peaks: dict[str, float]


@dataclass(frozen=True)
class Machine:
    cpu: str
    cores: int
    system: str


@dataclass(frozen=True)
class Results:
    made: str
    commit: str | None
    machine: Machine
    benchmarks: dict[str, Measured]
    rows: list[Row]

    def write(self, path: Path) -> None:
        write_json(path, {"format": FORMAT, "version": VERSION} | asdict(self))

    @classmethod
    def read(cls, path: Path) -> "Results":
        """What `write` wrote.

        Raises:
            InputError: if that is not what lies there.
        """
        raw = read_json(path)
        if not isinstance(raw, dict) or raw.get("format") != FORMAT:
            raise InputError(f"{path} is no result of `nox -s bench`")
        if raw.get("version") != VERSION:
            raise InputError(f"{path} is of version {raw.get('version')!r}, and version {VERSION} is what can be read")
        try:
            benchmarks = {name: typed(Measured, found) for name, found in raw["benchmarks"].items()}
            for measured in benchmarks.values():
                check("peaks", list(measured.peaks.values()), float)
            made, commit = check("made", [raw["made"]], str)[0], check("commit", [raw["commit"]], str | None)[0]
            return cls(made, commit, typed(Machine, raw["machine"]), benchmarks, [typed(Row, r) for r in raw["rows"]])
        except (AttributeError, KeyError, TypeError) as error:
            raise InputError(f"{path} is damaged: {error}") from None


def typed(cls: type[T], raw: dict[str, Any]) -> T:
    """A dataclass from JSON.

    Raises:
        TypeError: if a field is missing, of another type or out of bounds, or there is one too many.
    """
    made = cls(**raw)
    for field in fields(made):  # type: ignore[arg-type]
        origin = get_origin(field.type)
        check(field.name, [getattr(made, field.name)], origin if origin in (list, dict) else field.type)
    return made


def check(name: str, values: Sequence[Any], wanted: Any) -> Sequence[Any]:
    """The values, of which each is of that type, and a number finite and greater than zero.

    Raises:
        TypeError: if one is not.
    """
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        whole_for_real = number and isinstance(1.0, wanted)  # JSON tells 2 and 2.0 apart
        if not (isinstance(value, wanted) or whole_for_real) or (number and not (isfinite(value) and value > 0)):
            raise TypeError(f"{name} is {value!r}")
    return values


def this_machine() -> Machine:
    return Machine(cpu_model(), os.cpu_count() or 1, platform.platform())


def cpu_model() -> str:
    """As its maker calls it, if the system tells."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return said("sysctl", "-n", "machdep.cpu.brand_string") or platform.processor() or platform.machine()


def this_commit() -> str | None:
    return said("git", "describe", "--always", "--dirty") or None


def said(*command: str) -> str:
    """What a command writes; nothing if it cannot be run, or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def reference(row: Row, rows: Iterable[Row]) -> Row | None:
    """The loop that a row stands beside: the textbook's of the same case, or eager PyTorch's; in fp32, if there."""
    alike = [other for other in rows if (other.project, other.case, other.unit) == (row.project, row.case, row.unit)]
    beside = [other for kind in REFERENCES for other in alike if other.kind == kind]
    return min(beside, key=lambda other: (REFERENCES.index(other.kind), other.precision != "fp32"), default=None)


def cells(row: Row, rows: Sequence[Row]) -> list[str]:
    """A line of the table."""
    spread = "" if row.low is None or row.high is None else f"± {50 * (row.high - row.low) / row.rate:.0f} %"
    of_peak = "" if row.of_peak is None else f"{100 * row.of_peak:.1f} %"
    beside, ratio = reference(row, rows), ""
    if beside is not None:
        ratio = f"{row.rate / beside.rate:.2f}" + (" (eager)" if beside.kind == "eager" else "")
    return [row.project, row.label, row.precision, f"{digits(row.rate)} {row.unit}", spread, of_peak, ratio]


def digits(rate: float) -> str:
    """Three digits or more."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def machine_lines(results: Results) -> list[str]:
    """What was measured on: the machine, then the frameworks, with the peaks that were found beside each."""
    machine = results.machine
    commit = f", commit {results.commit}" if results.commit else ""
    lines = [f"{machine.cpu}, {machine.cores} cores, {machine.system}; {results.made}{commit}"]
    alike: dict[str, list[str]] = {}
    for name, measured in results.benchmarks.items():
        if measured.versions:
            threads = "" if measured.threads is None else f", threads: {measured.threads}"
            versions = ", ".join(f"{library} {version}" for library, version in measured.versions.items())
            alike.setdefault(f"{measured.device}{threads}; {versions}", []).append(name)
    for described, names in alike.items():
        found: dict[str, list[float]] = {}
        for name in names:
            for precision, peak in results.benchmarks[name].peaks.items():
                found.setdefault(precision, []).append(peak / 1e9)
        peaks = ", ".join(f"{precision} {span(rates)}" for precision, rates in found.items())
        lines.append(f"{', '.join(names)}: {described}" + (f"; peak in GFLOP/s: {peaks}" if peaks else ""))
    return lines


def span(values: Sequence[float]) -> str:
    """From the least to the greatest."""
    ends = [f"{value:,.0f}" for value in (min(values), max(values))]
    return " to ".join(dict.fromkeys(ends))
