"""Runs side by side: scores with intervals, cost against quality, and curves in one frame."""

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

from dl_shared.plots.style import COLORS, MARKERS, figure

LINES = ("-", "--", "-.", ":")
MAX_LETTERS = 48  # of a label; a longer one would leave no room for the picture
MAX_POINTS = 500  # of one curve; more cannot be told apart at the size of a page


@dataclass(frozen=True)
class Entry:
    """One run in a picture."""

    label: str
    result: float
    interval: tuple[float, float] | None = None
    """The 95 % interval around the result."""
    seconds: float | None = None
    """Training time."""


def scores(
    entries: Sequence[Entry],
    metric: str,
    *,
    higher_is_better: bool,
    baselines: Sequence[float] = (),
    optima: Sequence[float] = (),
) -> Figure:
    """A dot and an interval for each run, best at the top, with the baselines and optima as lines.

    Where the runs lie so close together that their intervals would vanish, a second panel shows them larger.
    """
    ends = [value for entry in entries for value in (entry.result, *(entry.interval or ()))]
    marks = [*ends, *baselines, *optima]
    close = len(entries) > 1 and 0 < max(ends) - min(ends) < 0.4 * (max(marks) - min(marks))
    height = 1.9 + 0.42 * len(entries)
    fig, grid = figure(
        _titled(f"{metric} of each run"),
        cols=1 + close,
        width=10.0 if close else 7.0,
        height=height,
        sharey=True,
        squeeze=False,
    )
    for panel, axes in enumerate(grid[0]):
        for row, entry in enumerate(entries):
            color = COLORS[row % 6]
            if entry.interval is not None:
                axes.plot(entry.interval, (row, row), color=color, linewidth=3, solid_capstyle="butt", alpha=0.55)
            axes.plot(entry.result, row, MARKERS[row % len(MARKERS)], color=color, markersize=8)
        axes.grid(axis="y", visible=False)
        if panel == 0:
            _reference_lines(axes, baselines, optima)
    first = grid[0, 0]
    first.set_yticks(range(len(entries)), [literal(entry.label) for entry in entries])
    first.set_ylim(len(entries) - 0.4, -0.6)
    fig.supxlabel(f"{literal(metric)} on test data ({_direction(higher_is_better)}); bar: 95 % interval", fontsize=11)
    if close:
        grid[0, 1].set_title("the same, larger", fontsize=10)
        grid[0, 1].xaxis.set_major_locator(MaxNLocator(5))  # their labels have more digits
    return fig


def _reference_lines(axes: Any, baselines: Sequence[float], optima: Sequence[float]) -> None:
    for values, label, line in ((baselines, "baseline", "--"), (optima, "optimum", "-")):
        for number, value in enumerate(sorted(set(values))):
            axes.axvline(value, color="#555555", linestyle=line, linewidth=1.2, label=None if number else label)
    if baselines or optima:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize=9)


def cost_against_quality(entries: Sequence[Entry], metric: str, *, higher_is_better: bool) -> Figure:
    """Training time across, score up; entries without a time are left out."""
    fig, axes = figure("Training time against quality")
    for number, entry in enumerate(entries):
        if entry.seconds is None:
            continue
        low, high = entry.interval or (entry.result, entry.result)
        # An interval need not hold its score in the middle, but error bars cannot point backwards.
        errors = [[max(0.0, entry.result - low)], [max(0.0, high - entry.result)]]
        style: dict[str, Any] = {"color": COLORS[number % 6], "fmt": MARKERS[number % len(MARKERS)], "markersize": 8}
        axes.errorbar(entry.seconds, entry.result, errors, capsize=3, label=literal(entry.label), **style)
    cost_axis(axes, [entry.seconds for entry in entries if entry.seconds])
    axes.set_xlabel("training time, seconds")
    axes.set_ylabel(f"{literal(metric)} ({_direction(higher_is_better)})")
    axes.margins(x=0.12, y=0.15)
    _legend_below(axes, len(entries))
    return fig


def curves(series: Mapping[str, Sequence[tuple[float, float]]], metric: str, title: str) -> Figure:
    """One line for each label: `(epoch, value)` points in the order of training; one without points is left out.

    The others keep the colours that they have in the pictures of scores and costs, if they come in the same order.
    """
    fig, axes = figure(literal(title))
    for number, (label, points) in enumerate(series.items()):
        if not points:
            continue
        stride = math.ceil(len(points) / MAX_POINTS) or 1
        kept = [*points[:-1:stride], *points[-1:]]
        style: dict[str, Any] = {"color": COLORS[number % 6], "linestyle": LINES[number // 6 % len(LINES)]}
        marker = MARKERS[number % len(MARKERS)] if len(kept) <= 30 else None
        axes.plot(*zip(*kept, strict=True), marker=marker, markersize=5, label=literal(label), **style)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("epoch")
    axes.set_ylabel(literal(metric))
    _legend_below(axes, len(series))
    return fig


def followed_metric(histories: Sequence[Sequence[Mapping[str, Any]]], metric: str) -> tuple[str, str] | None:
    """The name and split to draw for these histories: the deciding metric while validating, else a loss."""
    for name, split in ((metric, "validation"), ("loss", "validation"), (metric, "train"), ("loss", "train")):
        if any(curve(history, name, split) for history in histories):
            return name, split
    return None


def curve(history: Sequence[Mapping[str, Any]], name: str, split: str) -> list[tuple[float, float]]:
    """The `(epoch, value)` points of one metric; rows without it, or with a value that is no number, are skipped."""
    return [
        (float(row["epoch"]), float(row[name]))
        for row in history
        if row.get("split") == split and _is_number(row.get(name)) and _is_number(row.get("epoch"))
    ]


def cost_axis(axes: Axes, costs: Sequence[float]) -> None:
    """Make the horizontal axis one of costs: few ticks, in short; by powers where the costs differ much."""
    if not costs or max(costs) < 5 * min(costs):
        axes.xaxis.set_major_locator(MaxNLocator(4))
    else:
        axes.set_xscale("log")
        wide = max(costs) > 30 * min(costs)
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(FuncFormatter(_short))


def _short(value: float, _position: int) -> str:
    """12000000 as 12M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def literal(text: str) -> str:
    """Text that Matplotlib shows as it is, for a dollar sign in a name starts no formula; cut where it is long."""
    cut = text if len(text) <= MAX_LETTERS else text[: MAX_LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return cut.replace("$", r"\$")


def _is_number(value: Any) -> bool:
    """A finite one: neither NaN nor infinity, nor an integer that is no float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _titled(text: str) -> str:
    return literal(text[:1].upper() + text[1:])


def _direction(higher_is_better: bool) -> str:
    return "higher is better" if higher_is_better else "lower is better"


def _legend_below(axes: Any, entries: int) -> None:
    if entries:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=9, frameon=False)
