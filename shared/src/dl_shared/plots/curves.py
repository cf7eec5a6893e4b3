"""How training went: each measured value over the epochs, training beside validation."""

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
    title: str = "Training and validation",
    references: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """One panel a value, one line a split.

    Args:
        history: rows of metrics.jsonl: `step`, `epoch`, `split` and values. Epochs are counted as logged; when a split
            has several rows an epoch, all of them are drawn against the step.
        values: name in the rows -> label of the axis, with its unit, such as `{"loss": "loss (nats)"}`.
        title: of the figure.
        references: value -> name -> level, drawn as dashed lines, such as `{"accuracy": {"baseline": 0.4}}`.
    """
    fig, axes = figure(title, cols=len(values), width=max(5.0, 4.3 * len(values)), squeeze=False)
    unit = "epoch" if _one_row_an_epoch(history) else "step"
    for axis, (name, label) in zip(axes[0], values.items(), strict=True):
        for split, color in zip(SPLITS, COLORS, strict=False):
            points = [(row[unit], row[name]) for row in history if row["split"] == split and row.get(name) is not None]
            if not points:
                continue
            x, y = np.array(points, dtype=float).T
            marker = "o" if len(x) <= 30 else None
            axis.plot(x, y, color=color, marker=marker, markersize=4, linewidth=1.6, label=_words(split))
        for (reference, level), style in zip((references or {}).get(name, {}).items(), ("--", ":", "-."), strict=False):
            axis.axhline(level, color="#555555", linewidth=1.2, linestyle=style, label=f"{reference} {level:.3g}")
        axis.set_xlabel(unit)
        axis.set_ylabel(label)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=9)
    return fig


def _one_row_an_epoch(history: Sequence[Mapping[str, Any]]) -> bool:
    seen = [(row["split"], row["epoch"]) for row in history]
    return len(set(seen)) == len(seen)


def _words(split: str) -> str:
    return {"train": "training"}.get(split, split)
