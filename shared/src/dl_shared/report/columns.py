"""The columns of a comparison: what each run reached, and what it took."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dl_shared.report.record import RunRecord, as_number
from dl_shared.report.render import NOTHING, percent, plain, score, seconds, size, value_of


@dataclass(frozen=True)
class Cell:
    """What is shown of one run."""

    text: str
    number: float | None = None
    """What it is sorted by; None for words, and for what is not known."""
    beside: str = ""
    """Less important, and shown smaller."""


@dataclass(frozen=True)
class Column:
    """One cell for each run."""

    title: str
    cells: Sequence[Cell]
    numeric: bool = True


def columns(runs: Sequence[RunRecord]) -> list[Column]:
    """Result first, then what it is measured by, what it took, and where; columns that no run fills are left out."""
    found = [
        Column("result", [_result(run) for run in runs]),
        *(Column(name, [_number(run.score(name), score) for run in runs]) for name in ("baseline", "optimum")),
        Column("gap closed", [_number(run.gap_closed, percent) for run in runs]),
        _cost("training", "train_seconds", seconds, runs),
        _cost("compilation", "compile_seconds", seconds, runs),
        _cost("examples/s", "examples_per_second", _amount, runs),
        _cost("parameters", "parameters", _amount, runs),
        _cost("peak memory", "peak_memory_bytes", size, runs),
        Column("lines of code", [_lines(run) for run in runs]),
        _words("framework", [run.summary.get("framework") for run in runs]),
        Column("seed", [_number(run.summary.get("seed"), plain) for run in runs]),
        *(_words(name, [run.section("cost").get(name) for run in runs]) for name in ("device", "precision")),
    ]
    filled = [column for column in found[1:] if {cell.text for cell in column.cells} != {NOTHING}]
    return [found[0], *filled]


def _cost(title: str, name: str, write: Callable[[Any], str], runs: Sequence[RunRecord]) -> Column:
    return Column(title, [_number(run.section("cost").get(name), write) for run in runs])


def _words(title: str, values: Sequence[Any]) -> Column:
    return Column(title, [Cell(plain(value)) for value in values], numeric=False)


def _number(value: Any, write: Callable[[Any], str]) -> Cell:
    return Cell(write(value), as_number(value))


def _amount(value: Any) -> str:
    return value_of("", value)


def _result(run: RunRecord) -> Cell:
    result, interval = run.score("test"), run.interval
    beside = f"{score(interval[0])} to {score(interval[1])}" if interval and result is not None else ""
    return Cell(score(result), result, beside)


def _lines(run: RunRecord) -> Cell:
    cost = run.section("cost")
    own, shared = as_number(cost.get("code_lines")), as_number(cost.get("shared_code_lines"))
    if own is None:
        return Cell(NOTHING)
    return Cell(f"{own:,.0f}", own, f"and {shared:,.0f} shared" if shared else "")
