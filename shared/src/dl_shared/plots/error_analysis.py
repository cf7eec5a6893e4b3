"""Pictures of where forecasts err: by days ahead, by volatility, by month."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dl_shared.metrics.error_analysis import Group
from dl_shared.plots.style import COLORS, figure

LINE, RESULT, REFERENCE = "#000000", COLORS[0], COLORS[1]
VERDICTS = {"better": COLORS[2], "worse": COLORS[3], "open": "#8A8A8A"}
SHOWN_NAMES = 12  # more do not fit under one another


def errors_by_group(
    groups: Sequence[Group], *, label: str, title: str, nominal: float | None = None, short: bool = False
) -> Figure:
    """Error beside persistence's, skill with its interval, and, where there are intervals, what they cover.

    Args:
        groups: from `compare_groups`.
        label: of the groups, for the axis.
        title: of the figure.
        nominal: coverage that the intervals promise.
        short: write the first three letters of each name.
    """
    shares = [group.coverage for group in groups if group.coverage is not None]
    ratios = (2, 1.5) if nominal is None else (2, 1.5, 1)
    rows = len(ratios)
    fig, axes = figure(title, rows=rows, width=7.6, height=2.0 * rows + 1.2, sharex=True, height_ratios=ratios)
    place = np.arange(len(groups))
    _errors(axes[0], groups, place)
    _skills(axes[1], groups, place)
    if nominal is not None:
        _coverage(axes[2], place, shares, nominal)
    step = -(-len(groups) // SHOWN_NAMES)
    names = [group.name[:3] if short else group.name for group in groups]
    axes[-1].set_xticks(place[::step], names[::step])
    axes[-1].set_xlabel(label)
    for axis in axes:
        axis.grid(visible=False, axis="x")
    fig.align_ylabels(axes)
    return fig


def _errors(axis: Axes, groups: Sequence[Group], place: np.ndarray) -> None:
    axis.bar(place - 0.2, [g.reference for g in groups], width=0.4, color=REFERENCE, label="persistence")
    axis.bar(place + 0.2, [g.error for g in groups], width=0.4, color=RESULT, label="forecast")
    axis.set_ylabel("mean error (%)")
    axis.legend(fontsize=9, ncols=2)
    axis.margins(y=0.2)


def _skills(axis: Axes, groups: Sequence[Group], place: np.ndarray) -> None:
    """Coloured by what the intervals show; they hold together, see `compare_groups`."""
    axis.axhline(0, color=LINE, linewidth=1)
    words = {"better": "better", "worse": "worse", "open": "not shown either"}
    for verdict, color in VERDICTS.items():
        chosen = [(x, group) for x, group in zip(place, groups, strict=True) if group.verdict == verdict]
        if chosen:
            at = [x for x, _ in chosen]
            edges = [group.interval or (group.skill, group.skill) for _, group in chosen]
            axis.vlines(at, *zip(*edges, strict=True), color=color, linewidth=2)
            axis.plot(at, [group.skill for _, group in chosen], "o", color=color, markersize=6, label=words[verdict])
    axis.set_ylabel("skill")
    axis.margins(y=0.25)
    axis.legend(fontsize=9, ncols=3)


def _coverage(axis: Axes, place: np.ndarray, shares: Sequence[float], nominal: float) -> None:
    axis.axhline(nominal, color=LINE, linewidth=1, linestyle="--", label=f"promised, {nominal:.2f}")
    axis.plot(place, shares, "o", color=RESULT, markersize=5)
    axis.set_ylim(min(*shares, nominal - 0.02) - 0.02, max(*shares, nominal + 0.02) + 0.04)
    axis.set_ylabel("coverage")
    axis.legend(fontsize=9, loc="upper right")
