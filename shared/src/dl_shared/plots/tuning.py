"""Pictures of a search over options: its history, what each option does, which of them matter."""

import math
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dl_shared.plots.comparison import literal
from dl_shared.plots.style import COLORS, SEQUENTIAL, figure

# Each function takes `trials`: a row for each trial with the columns number, state (`complete`, `pruned`, `failed` or
# `running`), value, and one for each option. `metric` names the value.


def history(trials: pd.DataFrame, metric: str, *, maximize: bool) -> Figure:
    """Scores in the order of trials, the best so far as a line, pruned and failed trials on the lower edge."""
    fig, axes = figure("Search history")
    complete = trials[trials["state"] == "complete"]
    best = complete["value"].cummax() if maximize else complete["value"].cummin()
    axes.step(complete["number"], best, where="post", color=COLORS[1], linewidth=2, label="best so far")
    axes.plot(complete["number"], complete["value"], "o", color=COLORS[0], markersize=6, label="trial")
    for state, marker in (("pruned", "|"), ("failed", "x")):
        numbers = trials.loc[trials["state"] == state, "number"]
        if len(numbers):
            edge = axes.get_xaxis_transform()
            axes.plot(numbers, np.full(len(numbers), 0.02), marker, color="#555555", transform=edge, label=state)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("trial")
    axes.set_ylabel(literal(metric))
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9)
    return fig


def slices(
    trials: pd.DataFrame, options: Sequence[str], metric: str, *, logarithmic: Set[str], maximize: bool
) -> Figure:
    """The score against each option, one panel an option."""
    complete = trials[trials["state"] == "complete"]
    cols = min(3, len(options))
    rows = math.ceil(len(options) / cols)
    fig, grid = figure(
        "What each option does",
        rows=rows,
        cols=cols,
        width=3.4 * cols,
        height=0.7 + 2.9 * rows,
        sharey=True,
        squeeze=False,
    )
    best = complete.loc[complete["value"].idxmax() if maximize else complete["value"].idxmin()]
    for axes, name in zip(grid.flat, options, strict=False):
        places, labels = _places(complete[name])
        axes.plot(places, complete["value"], "o", color=COLORS[0], markersize=5, alpha=0.7)
        axes.plot(places[complete.index.get_loc(best.name)], best["value"], "*", color=COLORS[1], markersize=13)
        if labels is not None:
            axes.set_xticks(range(len(labels)), [literal(label) for label in labels])
            axes.set_xlim(-0.5, len(labels) - 0.5)
        elif name in logarithmic:
            axes.set_xscale("log")
        elif (places == np.round(places)).all():
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(literal(name))
    for axes in grid.flat[len(options) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel(literal(metric))
    return fig


def importance(importances: Mapping[str, float], metric: str) -> Figure:
    """A bar for each option, the most important at the top; the shares add up to 1."""
    fig, axes = figure(f"Which options matter for the {literal(metric)}", height=1.5 + 0.45 * len(importances))
    ranked = sorted(importances.items(), key=lambda item: item[1])
    bars = axes.barh([literal(name) for name, _ in ranked], [share for _, share in ranked], color=COLORS[0])
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("share of the variance explained")
    axes.grid(axis="y", visible=False)
    return fig


def parallel(
    trials: pd.DataFrame, options: Sequence[str], metric: str, *, logarithmic: Set[str], maximize: bool
) -> Figure:
    """One line a trial across one axis an option, coloured by its score, the best drawn last and darkest."""
    complete = trials[trials["state"] == "complete"].sort_values("value", ascending=maximize)
    fig, axes = figure("Trials as lines", width=max(6.0, 1.7 * len(options) + 2.5), height=4.6)
    heights, ends = zip(*(_heights(complete[name], name in logarithmic) for name in options), strict=True)
    # A few hopeless trials must not use up the whole scale.
    low, high = np.percentile(complete["value"], (15, 100) if maximize else (0, 85))
    colors = colormaps[SEQUENTIAL + "_r" if maximize else SEQUENTIAL]
    scale = Normalize(low, high if high > low else low + 1)
    for row, value in enumerate(complete["value"]):
        line = [column[row] for column in heights]
        axes.plot(range(len(options)), line, color=colors(scale(value)), linewidth=1.8, alpha=0.85)
    for place, (bottom, top) in enumerate(ends):
        axes.plot((place, place), (0, 1), color="#333333", linewidth=1, zorder=1)
        axes.text(place, -0.03, literal(bottom), ha="center", va="top", fontsize=9)
        axes.text(place, 1.03, literal(top), ha="center", va="bottom", fontsize=9)
    axes.set_xticks(range(len(options)), [literal(name) for name in options])
    axes.tick_params(axis="x", length=0, pad=16)
    axes.set_yticks([])
    axes.set_ylim(-0.06, 1.08)
    axes.set_xlim(-0.3, max(len(options) - 0.7, 0.3))
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    fig.colorbar(ScalarMappable(scale, colors), ax=axes, label=literal(metric), extend="min" if maximize else "max")
    return fig


def _places(column: pd.Series) -> tuple[np.ndarray, list[str] | None]:
    """Where values lie on an axis: numbers at themselves, anything else at 0, 1, 2 ... with these labels."""
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.to_numpy(float), None
    texts = column.map(str)
    labels = sorted(set(texts))
    return np.array([labels.index(text) for text in texts], float), labels


def _heights(column: pd.Series, logarithmic: bool) -> tuple[np.ndarray, tuple[str, str]]:
    """Values scaled to between 0 and 1, and what the two ends are called."""
    places, labels = _places(column)
    ends: Any = (labels[0], labels[-1]) if labels else (f"{places.min():.3g}", f"{places.max():.3g}")
    if logarithmic and labels is None:
        places = np.log(places)
    spread = np.ptp(places)
    return ((places - places.min()) / spread if spread else np.full(len(places), 0.5)), ends


def selection(trials: pd.DataFrame, deflated: Any, tested: Mapping[str, Any] | None) -> Figure:
    """The scores of all complete trials, the best of them deflated for the search, and its test.

    Args:
        deflated: a `dl_shared.metrics.selection.Deflated`.
        tested: `skill` and `skill_ci`, where there was a test.
    """
    fig, axes = figure("The best of many, and what is left of it", height=3.6)
    values = trials.loc[trials["state"] == "complete", "value"].to_numpy(float)
    rows = ["tried, on validation days", "the best, deflated"] + ["the best, tested"] * (tested is not None)
    axes.plot(values, np.zeros(len(values)), "|", color=COLORS[0], markersize=18, markeredgewidth=1.6)
    axes.plot(deflated.skill, 0, "*", color=COLORS[1], markersize=13)
    marks = [(deflated.deflated, deflated.deflated_ci)]
    if tested is not None:
        marks.append((tested["skill"], tested["skill_ci"]))
    for row, (value, (low, high)) in enumerate(marks, start=1):
        axes.hlines(row, low, high, color=COLORS[0], linewidth=2.2)
        axes.plot(value, row, "o", color=COLORS[0], markersize=8)
    axes.axvline(0, color="#333333", linewidth=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel("skill against persistence; lines are 95 % intervals")
    axes.grid(visible=False, axis="y")
    return fig
