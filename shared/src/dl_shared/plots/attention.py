"""What an attention model looks at, and how far beyond its training lengths it holds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from dl_shared.metrics.attention import Deletions
from dl_shared.metrics.bootstrap import bootstrap_replicates, percentile_interval
from dl_shared.plots.style import COLORS, MARKERS, SEQUENTIAL, figure

NAMED_POSITIONS = 26  # as many symbols as can be read along an axis


def attention_maps(
    examples: Sequence[tuple[Sequence[str], Sequence[str], Float[np.ndarray, "_ _"]]],
) -> Figure:
    """A heat map for each example: the source across, the answer down, light where the attention is.

    Args:
        examples: source, answer, and the weights between them, `(answer, source)`; each row sums to 1.
    """
    rows = -(-len(examples) // 2)
    cols = min(2, len(examples))
    fig, axes = figure("Attention", rows=rows, cols=cols, width=5.2 * cols, height=0.4 + 4.2 * rows, squeeze=False)
    for axis in axes.flat[len(examples) :]:
        axis.remove()
    for axis, (source, answer, weights) in zip(axes.flat, examples, strict=False):
        image = axis.imshow(weights, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        axis.grid(visible=False)
        _name_positions(axis.set_xticks, source)
        _name_positions(axis.set_yticks, answer)
        axis.set_title(f"{len(source)} source positions")
        axis.set_xlabel("source")
        axis.set_ylabel("answer")
    fig.colorbar(image, ax=axes, shrink=0.6, label="attention weight")
    return fig


def _name_positions(set_ticks: Any, names: Sequence[str]) -> None:
    if len(names) <= NAMED_POSITIONS:
        set_ticks(range(len(names)), names, fontsize=8)


def exact_match_by_length(series: Mapping[str, Mapping[str, Mapping[str, Any]]], max_length: int) -> Figure:
    """A line for each label: exact match against length, with the trained lengths shaded.

    Args:
        series: label -> length -> `exact_match` and `exact_match_ci`.
        max_length: the longest length trained on.
    """
    fig, axes = figure("Exact match by length")
    shortest = min(int(length) for table in series.values() for length in table)
    axes.axvspan(shortest, max_length, color="#000000", alpha=0.07, linewidth=0, label="lengths trained on")
    for number, (label, table) in enumerate(series.items()):
        lengths = sorted(table, key=int)
        scores = np.array([table[length]["exact_match"] for length in lengths])
        # Rounding may put a bound of Wilson's interval on the wrong side of a score of 0 or 1.
        low, high = np.array([table[length]["exact_match_ci"] for length in lengths]).T
        errors = np.maximum(0, np.stack((scores - low, high - scores)))
        style: dict[str, Any] = {"color": COLORS[number % 6], "marker": MARKERS[number % len(MARKERS)]}
        axes.errorbar([int(x) for x in lengths], scores, errors, markersize=5, capsize=2, label=label, **style)
    axes.set_xlabel("length of the source, symbols")
    axes.set_ylabel("share reversed without any error")
    axes.set_ylim(-0.03, 1.05)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=4, fontsize=9)
    return fig


def deletion_curves(deletions: Deletions) -> Figure:
    """How far the probability falls as the tokens that each ranking puts first are deleted; bars: 95 % intervals."""
    fig, axes = figure("Deleting tokens, the highest first", height=4.6)
    percents = 100 * np.array(deletions.shares)
    for number, (name, drops) in enumerate(deletions.drops.items()):
        means = drops.mean(axis=0)
        low, high = percentile_interval(bootstrap_replicates(lambda rows: rows.mean(axis=0), drops))
        errors = np.maximum(0, np.stack((means - low, high - means)))
        style: dict[str, Any] = {"color": COLORS[number % 6], "marker": MARKERS[number % len(MARKERS)]}
        axes.errorbar(percents * 1.03**number, means, errors, markersize=5, capsize=2, label=name, **style)
    axes.axhline(0, color="#555555", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(percents, [f"{percent:g}" for percent in percents])
    axes.minorticks_off()
    axes.set_xlabel("tokens deleted (% of the text)")
    axes.set_ylabel("fall of the probability")
    axes.legend(loc="upper left", fontsize=9, title=f"ranked by ({deletions.reviews} reviews)", title_fontsize=9)
    return fig


def answer_table(
    sources: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], right: Sequence[bool], *, width: int = 24
) -> Figure:
    """Sources and answers in rows, each answer marked right or wrong; at most `width` symbols of each are shown."""
    fig, axes = figure("Some test sequences and their answers", width=9.0, height=1.0 + 0.62 * len(sources))
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(sources), 0)
    for row, (source, answer, good) in enumerate(zip(sources, answers, right, strict=True)):
        style: dict[str, Any] = {"va": "center", "fontsize": 10}
        axes.text(0.0, row + 0.28, "source", color="#555555", **style)
        axes.text(0.12, row + 0.28, _joined(source, width), family="monospace", **style)
        color = COLORS[2] if good else COLORS[1]
        axes.text(0.0, row + 0.66, "right" if good else "wrong", color=color, fontweight="bold", **style)
        axes.text(0.12, row + 0.66, _joined(answer, width), family="monospace", color=color, **style)
    return fig


def _joined(values: Sequence[int], width: int) -> str:
    return " ".join(map(str, values[:width])) + (f" ... ({len(values)} symbols)" if len(values) > width else "")
