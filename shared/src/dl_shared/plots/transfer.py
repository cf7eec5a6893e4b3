"""Pictures of what a pretrained network, fewer labels, or another number format change."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from dl_shared.plots.comparison import literal
from dl_shared.plots.style import COLORS, figure

Point = tuple[float, float, tuple[float, float]]


def label_shares(lines: Mapping[str, Sequence[Point]], metric: str) -> Figure:
    """The score against the share of labels that was learned from, one line for each way to begin.

    Args:
        lines: by name, points of share, score, and the score's 95 % interval.
        metric: what the score is called.
    """
    fig, axes = figure("What few labels suffice for")
    for (name, points), color in zip(lines.items(), COLORS, strict=False):
        shares, values, intervals = zip(*points, strict=True)
        low, high = np.array(intervals).T
        axes.fill_between(shares, low, high, color=color, alpha=0.2, linewidth=0)
        axes.vlines(shares, low, high, color=color, alpha=0.5, linewidth=3)  # a single share has no band
        axes.plot(shares, values, "o-", color=color, label=literal(name))
    axes.set_xscale("log")
    ticks = sorted({share for points in lines.values() for share, *_ in points})
    axes.set_xticks(ticks, [f"{100 * share:g} %" for share in ticks])
    axes.minorticks_off()
    axes.set_xlabel("share of the training labels; bars: 95 % interval of the test")
    axes.set_ylabel(literal(metric))
    axes.legend()
    return fig


def formats(names: Sequence[str], panels: Mapping[str, Sequence[float | None]], accuracy: Sequence[Point]) -> Figure:
    """Number formats side by side: a panel of bars for each cost, and one of accuracies with their intervals.

    Args:
        names: of the formats, in order.
        panels: label of the axis -> a value for each format; None where it was not measured.
        accuracy: for each format its place, accuracy and 95 % interval.
    """
    fig, grid = figure("Number formats", cols=len(panels) + 1, width=3.1 * (len(panels) + 1), height=3.6, squeeze=False)
    places = np.arange(len(names))
    for axes, (label, values) in zip(grid[0], panels.items(), strict=False):
        heights = [np.nan if value is None else value for value in values]
        bars = axes.bar(places, heights, color=COLORS[: len(names)], width=0.6)
        axes.bar_label(bars, fmt="{:,.4g}", padding=2, fontsize=9)
        axes.set_ylabel(literal(label))
        axes.margins(y=0.12)
        _name_places(axes, names)
    axes = grid[0, -1]
    for (place, value, (low, high)), color in zip(accuracy, COLORS, strict=False):
        axes.plot((place, place), (low, high), color=color, linewidth=3, alpha=0.5)
        axes.plot(place, value, "o", color=color)
        axes.annotate(f"{value:.2%}", (place, value), xytext=(8, -3), textcoords="offset points", fontsize=9)
    axes.set_ylabel("test accuracy, 95 % interval")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.margins(y=0.2)
    _name_places(axes, names)
    axes.set_xlim(-0.4, len(names))  # room for the figures
    return fig


def _name_places(axes: Any, names: Sequence[str]) -> None:
    axes.set_xticks(range(len(names)), [literal(name) for name in names])
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(axis="x", visible=False)
