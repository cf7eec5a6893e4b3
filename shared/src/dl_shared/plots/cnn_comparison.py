"""Pictures of many networks on one data set: what they reach, what that costs, and what they look for."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from dl_shared.plots.comparison import cost_axis, literal
from dl_shared.plots.style import COLORS, LIGHT, MARKERS, SEQUENTIAL, figure

SHOWN_FILTERS = 32
COSTS = {"parameters": "parameters", "flops": "operations an image", "train_seconds": "seconds of training"}
Rows = Mapping[str, Mapping[str, Any]]


def heat_table(tables: Mapping[str, Rows]) -> Figure:
    """Networks below each other, data sets side by side; colour is the place between the worst and the best.

    Args:
        tables: by data set, a row for each network with `accuracy` and `accuracy_ci`.
    """
    sets = list(tables)
    networks = list(dict.fromkeys(name for rows in tables.values() for name in rows))
    fig, axis = figure("Test accuracy", width=2.2 + 1.9 * len(sets), height=1.4 + 0.62 * len(networks))
    shades = np.full((len(networks), len(sets)), np.nan)
    for column, name in enumerate(sets):
        values = [row["accuracy"] for row in tables[name].values()]
        low, high = min(values), max(values)
        for network, row in tables[name].items():
            shades[networks.index(network), column] = (row["accuracy"] - low) / (high - low) if high > low else 1.0
    axis.imshow(shades, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
    for line, column in zip(*np.nonzero(np.isfinite(shades)), strict=True):
        found = tables[sets[column]][networks[line]]
        color = "black" if shades[line, column] > LIGHT else "white"
        low, high = found["accuracy_ci"]
        axis.text(column, line - 0.12, f"{found['accuracy']:.2%}", ha="center", va="center", color=color)
        text = f"{low:.2%} to {high:.2%}"
        axis.text(column, line + 0.24, text, ha="center", va="center", color=color, fontsize=8)
    axis.set_xticks(range(len(sets)), [literal(name) for name in sets])
    axis.set_yticks(range(len(networks)), [literal(name) for name in networks])
    axis.grid(visible=False)
    return fig


def curves(histories: Mapping[str, Sequence[Sequence[Mapping[str, Any]]]], name: str) -> Figure:
    """Loss and accuracy after each epoch.

    Args:
        histories: for each network, those of its seeds: rows with `epoch`, `split`, `loss` and `accuracy`.
        name: of the data set.
    """
    fig, (loss, accuracy) = figure(f"Training on {name}", cols=2, width=9.6, height=4.2)
    for network, (color, marker) in _looks(histories).items():
        for axis, metric, split, style in (
            (loss, "loss", "validation", "-"),
            (loss, "loss", "train", ":"),
            (accuracy, "accuracy", "validation", "-"),
        ):
            epochs, values = _mean_curve(histories[network], metric, split)
            label = literal(network) if style == "-" else None
            dots = marker if style == "-" and len(epochs) < 60 else None
            axis.plot(epochs, values, style, color=color, marker=dots, markersize=3.5, label=label, linewidth=1.4)
    loss.set_ylabel("loss (nats)")
    accuracy.set_ylabel("accuracy")
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    for axis in (loss, accuracy):
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    fig.legend(*accuracy.get_legend_handles_labels(), loc="outside lower center", ncols=min(6, len(histories)))
    return fig


def _mean_curve(
    seeds: Sequence[Sequence[Mapping[str, Any]]], metric: str, split: str
) -> tuple[list[float], list[float]]:
    """Epochs and values, means over seeds, as far as all of them have come."""
    curves = [[(row["epoch"], row[metric]) for row in rows if row["split"] == split] for rows in seeds]
    points = [np.mean(same, axis=0) for same in zip(*curves, strict=False)]
    return [float(epoch) for epoch, _ in points], [float(value) for _, value in points]


def pareto(rows: Rows, name: str) -> Figure:
    """Accuracy against each cost, a panel for each; a line joins the networks that none beats in both.

    Args:
        rows: for each network `accuracy` and the costs.
        name: of the data set.
    """
    fig, axes = figure(f"What accuracy on {name} costs", cols=len(COSTS), width=3.4 * len(COSTS), height=3.9)
    for axis, (cost, label) in zip(axes, COSTS.items(), strict=True):
        points = {network: (float(row[cost]), row["accuracy"]) for network, row in rows.items()}
        front = sorted(pareto_front(points), key=lambda network: points[network][0])
        axis.plot(*zip(*(points[network] for network in front), strict=True), color="#999999", linewidth=1, zorder=1)
        for network, (color, marker) in _looks(rows).items():
            axis.plot(*points[network], marker, color=color, markersize=8, label=literal(network))
        axis.margins(x=0.15)
        cost_axis(axis, [value for value, _ in points.values()])
        axis.set_xlabel(label)
        axis.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes[0].set_ylabel("test accuracy")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=min(6, len(rows)))
    return fig


def pareto_front(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points (cost, score) that no other point dominates.

    One dominates another if it costs no more and scores no less, and one of the two is better.
    """
    return [
        name
        for name, (cost, score) in points.items()
        if not any(
            c <= cost and s >= score and (c < cost or s > score) for other, (c, s) in points.items() if other != name
        )
    ]


def only_right(names: Sequence[str], shares: Float[np.ndarray, "networks networks"], name: str) -> Figure:
    """Shares of images that the network of the row gets right and that of the column wrong."""
    size = 2.4 + 0.8 * len(names)
    fig, axis = figure(f"Right where another is wrong, on {name}", width=size + 0.6, height=size)
    image = axis.imshow(shares, cmap=SEQUENTIAL, vmin=0)
    top = max(float(shares.max()), 1e-9)
    for row, column in np.ndindex(shares.shape):
        if row != column:
            color = "black" if shares[row, column] / top > LIGHT else "white"
            axis.text(column, row, f"{shares[row, column]:.1%}", ha="center", va="center", color=color, fontsize=9)
    labels = [literal(one) for one in names]
    axis.set_xticks(range(len(names)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), labels)
    axis.set_xlabel("wrong")
    axis.set_ylabel("right")
    axis.grid(visible=False)
    fig.colorbar(image, ax=axis, format=PercentFormatter(1.0, decimals=None), shrink=0.8)
    return fig


def filters(by_network: Mapping[str, Float[np.ndarray, "features channels rows columns"]], name: str) -> Figure:
    """Filters of the first convolution, a band of pictures for each network."""
    fig, axes = figure(
        f"What the first convolution looks for, on {name}",
        rows=len(by_network),
        width=9.0,
        height=0.6 + 0.95 * len(by_network),
        squeeze=False,
    )
    for axis, (network, weights) in zip(axes[:, 0], by_network.items(), strict=True):
        axis.imshow(_band(weights[:SHOWN_FILTERS]), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_anchor("W")
        axis.set_title(literal(network), fontsize=10, loc="left", pad=3)
        axis.axis("off")
    return fig


def _band(weights: Float[np.ndarray, "features channels rows columns"]) -> np.ndarray:
    """Two lines of filters, each between 0 and 1, with white between them."""
    low, high = (reduce(weights, axis=(1, 2, 3), keepdims=True) for reduce in (np.min, np.max))
    scaled = ((weights - low) / np.maximum(high - low, 1e-12)).transpose(0, 2, 3, 1)
    framed = np.pad(scaled, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=1.0)
    columns = SHOWN_FILTERS // 2
    missing = -len(framed) % columns  # the bands of all networks are equally wide
    framed = np.pad(framed, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=1.0)
    lines = [np.concatenate(list(framed[first : first + columns]), axis=1) for first in range(0, len(framed), columns)]
    return np.concatenate(lines, axis=0).squeeze()


def _looks(networks: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each, the same in every picture of a comparison."""
    return {name: (COLORS[n % len(COLORS)], MARKERS[n % len(MARKERS)]) for n, name in enumerate(sorted(networks))}
