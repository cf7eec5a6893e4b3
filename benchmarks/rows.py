"""What benchmarks measured, for the one table that `nox -s bench` makes of all; beside what each of them prints.

Where $DL_BENCH_ROWS names a file, every call appends one line of JSON to it: so rows are kept when a later one fails,
and those of the processes that a script starts are there too. Without it nothing is written.
"""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

Kind = Literal["ours", "textbook", "eager", "other"]
"""`ours` is the loop of a run, `textbook` that of most tutorials of the framework, `eager` the same update as ours by
eager PyTorch, which stands in for a textbook's loop where XLA has none; `other` is what the table shows beside them."""


def add_machine(device: str, threads: int | None, distributions: Sequence[str], peaks: Mapping[str, float]) -> None:
    """Say what the rows to come ran on.

    Args:
        device: as the framework calls it.
        threads: that the framework computes with; None where it does not tell.
        distributions: whose versions matter.
        peaks: operations per second of a large matrix product, by precision.
    """
    versions = {"python": platform.python_version()} | {name: version(name) for name in distributions}
    _append({"device": device, "threads": threads, "versions": versions, "peaks": dict(peaks)})


def add_row(
    project: str,
    loop: str,
    kind: Kind,
    rates: Sequence[float],
    unit: str,
    *,
    case: str = "",
    precision: str = "fp32",
    of_peak: float | None = None,
) -> None:
    """Add a loop.

    Args:
        project: whose network it trains.
        loop: in words.
        kind: what it is beside the others.
        rates: examples per second, of each repeat.
        unit: of them.
        case: the network, length, ... where a project is measured with several; loops of one case are comparable.
        precision: of the products.
        of_peak: the share of the machine's peak that the median makes use of.
    """
    low, rate, high = statistics.quantiles(rates, n=4, method="inclusive") if len(rates) > 1 else (None, rates[0], None)
    row = {"project": project, "case": case, "loop": loop, "kind": kind, "precision": precision, "unit": unit}
    _append(row | {"rate": rate, "low": low, "high": high, "repeats": len(rates), "of_peak": of_peak})


def _append(value: dict[str, Any]) -> None:
    if name := os.environ.get("DL_BENCH_ROWS"):
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
