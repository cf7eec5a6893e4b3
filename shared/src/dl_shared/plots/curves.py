"""How training went: each logged value over the epochs, training beside validation."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dl_shared.plots.style import COLORS, figure

SPLITS = ("train", "validation", "test")


def training_curves(
    history: Sequence[Mapping[str, Any]],
    values: Mapping[str, str],
    *,
    references: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """One panel a value, one line a split.

    Args:
        history: rows of metrics.jsonl: `step`, `epoch`, `split` and values. Rows within an epoch, where there are
            some, are placed between the whole epochs by their steps.
        values: name in the rows -> label of the axis, with its unit, such as `{"loss": "loss (nats)"}`.
        references: value -> name -> level, drawn as dashed lines, such as `{"accuracy": {"baseline": 0.4}}`.
    """
    fig, axes = figure("Training and validation", cols=len(values), width=max(5.0, 4.3 * len(values)), squeeze=False)
    steps_per_epoch = _steps_per_epoch(history)
    for axis, (name, label) in zip(axes[0], values.items(), strict=True):
        for split, color in zip(SPLITS, COLORS, strict=False):
            points = [
                (row["step"], row[name]) for row in history if row["split"] == split and row.get(name) is not None
            ]
            if not points:
                continue
            x, y = np.array(points, dtype=float).T / [[steps_per_epoch], [1]]
            marker = "o" if len(x) <= 30 else None
            axis.plot(x, y, color=color, marker=marker, markersize=4, linewidth=1.6, label=_words(split))
        for (reference, level), style in zip((references or {}).get(name, {}).items(), ("--", ":", "-."), strict=False):
            axis.axhline(level, color="#555555", linewidth=1.2, linestyle=style, label=f"{reference} {level:.3g}")
        axis.set_xlabel("epoch")
        axis.set_ylabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=9)
    return fig


def _steps_per_epoch(history: Sequence[Mapping[str, Any]]) -> float:
    """The row at the end of an epoch has the most steps for its number, which counts from 1, or else from 0."""
    trained = [row for row in history if row["step"] > 0]
    first = min((row["epoch"] for row in trained), default=1)
    return max((row["step"] / (row["epoch"] + (first == 0)) for row in trained), default=1.0)


def _words(split: str) -> str:
    return {"train": "training"}.get(split, split)
