"""Pictures of a classifier: what it mistakes for what, how sure it is, and which images it gets wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from dl_shared.metrics.classification import Calibration
from dl_shared.plots.style import COLORS, LIGHT, SEQUENTIAL, figure

RIGHT, WRONG = COLORS[2], COLORS[1]
SHOWN = 24  # images
COLUMNS = 8  # of images


def confusion(
    counts: Int[np.ndarray, "classes classes"],
    class_names: Sequence[str],
    *,
    title: str = "Confusion matrix of the test data",
) -> Figure:
    """Rows are the truth, columns the prediction; colour is the share of the row, text the number of examples."""
    classes = len(class_names)
    size = max(4.6, 0.62 * classes + 1.6)
    fig, axis = figure(title, width=size + 1.0, height=size)
    actual = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, actual, out=np.zeros(counts.shape), where=actual > 0)
    scale = PowerNorm(0.5, vmin=0, vmax=1)  # mistakes are few: spread the colours of small shares
    image = axis.imshow(shares, cmap=SEQUENTIAL, norm=scale)
    for row, column in np.ndindex(classes, classes):
        if counts[row, column]:
            color = "black" if scale(shares[row, column]) > LIGHT else "white"
            text = f"{counts[row, column]:,}"
            axis.text(column, row, text, ha="center", va="center", color=color, fontsize=9 if len(text) < 5 else 7)
    axis.set_xticks(range(classes), class_names, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(classes), class_names)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("true class")
    axis.grid(visible=False)
    fig.colorbar(image, ax=axis, label="share of the true class", shrink=0.8)
    return fig


def per_class(scores: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Three dots a class with their 95 % intervals, the class with the lowest F1 at the bottom.

    Args:
        scores: as `per_class` of `metrics.classification.score`.
    """
    names = sorted(scores, key=lambda name: -scores[name]["f1"])
    fig, axis = figure("Precision, recall and F1 of each class", height=1.8 + 0.42 * len(names))
    rows = np.arange(len(names))
    for offset, (metric, color, marker) in enumerate(
        zip(("precision", "recall", "f1"), COLORS, ("o", "s", "D"), strict=False), start=-1
    ):
        values = np.array([scores[name][metric] for name in names])
        bounds = np.array([scores[name][f"{metric}_ci"] for name in names])
        y = rows + 0.22 * offset
        axis.hlines(y, bounds[:, 0], bounds[:, 1], color=color, linewidth=2, alpha=0.6)
        axis.plot(values, y, marker, color=color, markersize=5, label="F1" if metric == "f1" else metric)
    axis.set_yticks(rows, names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_xlabel("score (bar: 95 % interval)")
    axis.grid(axis="y", visible=False)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return fig


def reliability(calibration: Calibration) -> Figure:
    """Accuracy against confidence, on the diagonal when calibrated, over the number of predictions in each bin."""
    title = "Is confidence worth its word?"
    fig, (top, bottom) = figure(title, rows=2, width=5.6, height=6.0, sharex=True, height_ratios=(3, 1))
    filled = calibration.count > 0
    low, high = calibration.edges[:-1][filled], calibration.edges[1:][filled]
    accuracy, confidence = calibration.accuracy[filled], calibration.confidence[filled]
    top.bar(
        low, accuracy, width=high - low, align="edge", color=COLORS[5], edgecolor="white", label="accuracy in the bin"
    )
    top.plot(confidence, accuracy, "o", color=COLORS[0], markersize=5, label="at its mean confidence")
    top.plot([0, 1], [0, 1], color="#555555", linestyle="--", linewidth=1.2, label="calibrated")
    top.set_ylabel("accuracy")
    top.set_ylim(0, 1)
    top.legend(loc="upper left", fontsize=9, title=f"calibration error {calibration.ece:.3f}", title_fontsize=9)
    bottom.bar(low, calibration.count[filled], width=high - low, align="edge", color=COLORS[0], edgecolor="white")
    bottom.set_yscale("log")
    bottom.set_ylabel("predictions")
    bottom.set_xlabel("confidence (probability of the predicted class)")
    bottom.set_xlim(0, 1)
    return fig


def misclassified(
    images: UInt8[np.ndarray, "n height width channels"],
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n classes"],
    class_names: Sequence[str],
    *,
    count: int = SHOWN,
) -> Figure:
    """The mistakes made with most confidence, most confident first: true class above predicted class."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:count]
    title = f"The most confident of {len(wrong):,} mistakes on {len(labels):,} test images"
    return _image_grid(images, labels, probabilities, class_names, worst, title)


def sample_predictions(
    images: UInt8[np.ndarray, "n height width channels"],
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n classes"],
    class_names: Sequence[str],
) -> Figure:
    """Images drawn at random, right ones and wrong ones: true class above predicted class."""
    rows = np.random.default_rng(0).choice(len(labels), size=min(SHOWN, len(labels)), replace=False)
    return _image_grid(images, labels, probabilities, class_names, rows, "Test images drawn at random")


def _image_grid(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    rows: np.ndarray,
    title: str,
) -> Figure:
    lines = max(1, -(-len(rows) // COLUMNS))
    fig, axes = figure(title, rows=lines, cols=COLUMNS, width=1.25 * COLUMNS, height=1.72 * lines + 0.5, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, row in zip(axes.flat, rows, strict=False):
        guess = int(probabilities[row].argmax())
        right = guess == labels[row]
        axis.imshow(images[row].squeeze(), cmap="gray", vmin=0, vmax=255)
        verdict = f"{'✓' if right else '✗'} {class_names[guess]} {probabilities[row, guess]:.0%}"
        axis.set_title(f"{class_names[labels[row]]}\n", fontsize=8.5, pad=3)
        axis.text(
            0.5, 1.03, verdict, transform=axis.transAxes, ha="center", fontsize=8.5, color=RIGHT if right else WRONG
        )
    if len(rows) == 0:
        axes.flat[0].text(0, 0.5, "none", fontsize=11)
    return fig
