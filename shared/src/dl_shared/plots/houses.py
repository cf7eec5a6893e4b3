"""Pictures of house data and of predicted prices."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from dl_shared.plots.style import COLORS, DIVERGING, figure


def price_distribution(prices: Float[np.ndarray, " houses"]) -> Figure:
    """Prices, and their logarithms beside the normal curve of the same mean and spread."""
    fig, (plain, logged) = figure("Sale prices", cols=2, width=9.0, height=3.8)
    plain.hist(prices / 1000, bins=40, color=COLORS[0])
    plain.axvline(np.median(prices) / 1000, color=COLORS[1], label=f"median {np.median(prices) / 1000:,.0f} thousand $")
    plain.set_xlabel("price (thousand $)")
    plain.set_ylabel("houses")
    plain.legend(fontsize=9)
    logs = np.log(prices)
    _, edges, _ = logged.hist(logs, bins=40, color=COLORS[0])
    at = np.linspace(logs.min(), logs.max(), 200)
    spread = max(logs.std(), 1e-12)
    density = np.exp(-(((at - logs.mean()) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi))
    logged.plot(at, density * len(logs) * (edges[1] - edges[0]), color=COLORS[1], label="normal curve")
    logged.set_xlabel("log of the price in $")
    logged.legend(fontsize=9)
    return fig


def missingness(counts: pd.DataFrame, houses: int) -> Figure:
    """Per column the share of houses without the thing, and the share where it was not recorded.

    Args:
        counts: columns `missing` and `absent`, indexed by column name, as `data.houses.missing_counts` returns.
        houses: how many there are.
    """
    counts = counts.assign(total=counts.sum(axis=1)).sort_values("total")
    fig, axis = figure("Not recorded, or not there", width=7.5, height=1.6 + 0.26 * max(len(counts), 3))
    rows = np.arange(len(counts))
    absent, missing = 100 * counts["absent"] / houses, 100 * counts["missing"] / houses
    axis.barh(rows, absent, color=COLORS[5], label="the house has none")
    axis.barh(rows, missing, left=absent, color=COLORS[1], label="not recorded")
    for row, share in zip(rows, absent + missing, strict=True):
        axis.text(share + 0.8, row, f"{share:.1f}" if share >= 0.1 else "<0.1", va="center", fontsize=8)
    axis.set_yticks(rows, list(counts.index), fontsize=9)
    axis.set_xlim(0, 108)
    axis.set_xlabel("share of houses (%)")
    axis.grid(axis="y", visible=False)
    axis.legend(fontsize=9, loc="lower right")
    return fig


def correlations(features: pd.DataFrame, prices: Float[np.ndarray, " houses"], top: int = 14) -> Figure:
    """Spearman's correlations among the numeric columns that go most with the price, and with the price itself."""
    numbers = features.select_dtypes("number").assign(SalePrice=prices)
    numbers = numbers.loc[:, numbers.nunique() > 1]
    ranked = numbers.corr(method="spearman")
    names = ranked["SalePrice"].abs().sort_values(ascending=False).index[: top + 1].tolist()
    matrix = ranked.loc[names, names].to_numpy()
    size = 2.2 + 0.42 * len(names)
    fig, axis = figure("What goes with the price (Spearman)", width=size + 1.6, height=size)
    image = axis.imshow(matrix, cmap=DIVERGING, vmin=-1, vmax=1)
    axis.set_xticks(range(len(names)), names, rotation=90, fontsize=9)
    axis.set_yticks(range(len(names)), names, fontsize=9)
    axis.grid(visible=False)
    for i in range(len(names)):
        for j in range(len(names)):
            color = "white" if abs(matrix[i, j]) > 0.6 else "black"
            axis.text(j, i, f"{100 * matrix[i, j]:.0f}", ha="center", va="center", fontsize=7.5, color=color)
    fig.colorbar(image, ax=axis, shrink=0.8, label="rank correlation (numbers: times 100)")
    return fig


def predicted_against_actual(
    actual: Float[np.ndarray, " houses"],
    predictions: Mapping[str, Float[np.ndarray, " houses"]],
    marked: Mapping[int, str] | None = None,
) -> Figure:
    """One panel a model, both axes in thousand dollars and logarithmic; on the line, the prediction is right.

    Args:
        actual: in dollars.
        predictions: of each model, in dollars.
        marked: houses to ring, by row, and what to write beside them.
    """
    marked = marked or {}
    rows = list(marked)
    fig, axes = figure(
        "Predicted against actual prices", cols=len(predictions), width=max(5.0, 4.4 * len(predictions)),
        height=4.6, squeeze=False, sharex=True, sharey=True,
    )  # fmt: skip
    every = np.concatenate([actual, *predictions.values()]) / 1000
    span = [every.min() * 0.9, every.max() * 1.1]
    for axis, (name, predicted), color in zip(axes[0], predictions.items(), COLORS, strict=False):
        axis.plot(span, span, color="#555555", linestyle="--", linewidth=1.2)
        axis.scatter(actual / 1000, predicted / 1000, s=14, alpha=0.6, color=color, edgecolors="none")
        axis.scatter(actual[rows] / 1000, predicted[rows] / 1000, s=60, facecolors="none", edgecolors="#222222")
        for number, (row, label) in enumerate(marked.items()):  # left and right in turn: the worst lie side by side
            at, side = (actual[row] / 1000, predicted[row] / 1000), ((-7, "right"), (7, "left"))[number % 2]
            axis.annotate(label, at, (side[0], 0), textcoords="offset points", ha=side[1], va="center", fontsize=8)
        axis.set(xscale="log", yscale="log", xlim=span, ylim=span)
        for one in (axis.xaxis, axis.yaxis):
            round_ticks(one, span)
        error = np.sqrt(np.mean(np.log(predicted / actual) ** 2))
        axis.set_title(f"{name}: RMSE of the log {error:.3f}")
        axis.set_xlabel("actual price (thousand $)")
    axes[0, 0].set_ylabel("predicted price (thousand $)")
    return fig


def round_ticks(axis, span: list) -> None:
    """Round numbers rather than powers of ten, of which there are one or two."""
    round_ones = (10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000)
    shown = [tick for tick in round_ones if span[0] <= tick <= span[1]]
    axis.set_ticks(shown, [f"{tick:,}" for tick in shown])
    axis.set_minor_locator(NullLocator())


def residuals(actual: Float[np.ndarray, " houses"], predicted: Float[np.ndarray, " houses"]) -> Figure:
    """Relative errors against the predicted price, with their running median, and their distribution."""
    error = 100 * (predicted / actual - 1)
    fig, (left, right) = figure(
        "Errors of the predictions", cols=2, width=9.0, height=4.2, sharey=True, gridspec_kw={"width_ratios": [3, 1]}
    )
    left.axhline(0, color="#555555", linestyle="--", linewidth=1.2)
    left.scatter(predicted / 1000, error, s=14, alpha=0.6, color=COLORS[0], edgecolors="none")
    order = np.argsort(predicted)
    groups = [group for group in np.array_split(order, max(1, min(8, len(order) // 10))) if len(group)]
    medians = [(np.median(predicted[group]) / 1000, np.median(error[group])) for group in groups]
    left.plot(*zip(*medians, strict=True), color=COLORS[1], marker="o", markersize=4, label="median of its group")
    left.set_xlabel("predicted price (thousand $)")
    left.set_ylabel("predicted above actual (%)")
    left.legend(fontsize=9)
    right.hist(error, bins=40, orientation="horizontal", color=COLORS[0])
    right.set_xlabel("houses")
    return fig


def largest_errors(
    ids: Int[np.ndarray, " houses"],
    actual: Float[np.ndarray, " houses"],
    predicted: Float[np.ndarray, " houses"],
    notes: list[str],
    count: int = 12,
) -> Figure:
    """The houses that the model misjudges most, relative to their price: actual and predicted, joined.

    Args:
        ids: the houses' numbers.
        actual: in dollars.
        predicted: in dollars.
        notes: a few words on each house, to tell what is special about it.
        count: how many houses to draw.
    """
    worst = np.argsort(-np.abs(np.log(predicted / actual)))[:count][::-1]
    fig, axis = figure("The largest errors", width=9.0, height=1.5 + 0.36 * len(worst))
    rows = np.arange(len(worst))
    axis.hlines(rows, actual[worst] / 1000, predicted[worst] / 1000, color="#999999", linewidth=1.5)
    axis.plot(actual[worst] / 1000, rows, "o", color=COLORS[0], label="actual")
    axis.plot(predicted[worst] / 1000, rows, "D", color=COLORS[1], label="predicted")
    axis.set_yticks(rows, [f"{ids[i]}: {notes[i]}" for i in worst], fontsize=8.5)
    axis.set_xlabel("price (thousand $)")
    axis.grid(axis="y", visible=False)
    fig.legend(*axis.get_legend_handles_labels(), fontsize=9, loc="outside lower right", ncols=2)
    return fig
