"""Pictures of a table of houses before anything is learned from it."""

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.figure import Figure

from dl_shared.plots.houses import round_ticks
from dl_shared.plots.style import COLORS, SEQUENTIAL, figure

COLUMNS = 6  # of small panels


def distributions(features: pd.DataFrame) -> Figure:
    """A histogram of every column of numbers; the share of zeros is written in it where they are many.

    Args:
        features: the 79 columns of :class:`dl_shared.data.houses.Houses`.
    """
    numbers = features.select_dtypes("number").dropna(axis=1, how="all")
    rows = -(-numbers.shape[1] // COLUMNS)
    fig, axes = figure(
        "What the houses are like", rows=rows, cols=COLUMNS, width=13.0, height=1.7 * rows, squeeze=False
    )
    for axis, name in zip(axes.flat, numbers, strict=False):
        values = numbers[name].dropna().to_numpy()
        zeros = float((values == 0).mean())
        shown = values[values != 0] if zeros > 0.4 and len(values[values != 0]) else values
        axis.hist(shown, bins=min(30, max(5, len(np.unique(shown)))), color=COLORS[0])
        axis.set_title(name, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.grid(visible=False)
        if shown is not values:
            axis.text(0.97, 0.95, f"0: {100 * zeros:.0f} %", transform=axis.transAxes, ha="right", va="top", fontsize=8)
    for axis in axes.flat[numbers.shape[1] :]:
        axis.set_visible(False)
    fig.supylabel("houses; zeros left out where they are many", fontsize=9)
    return fig


def price_by_category(features: pd.DataFrame, prices: Float[np.ndarray, " houses"], column: str) -> Figure:
    """Prices in each category, cheapest first: quartiles as a box, the middle 90 % as its whiskers.

    Args:
        features: with the column.
        prices: in dollars.
        column: of text.
    """
    table = pd.DataFrame({"category": features[column].fillna("not recorded").astype(str), "price": prices / 1000})
    groups = sorted(table.groupby("category")["price"], key=lambda group: group[1].median())
    fig, axis = figure(f"Price by {column}", width=8.0, height=1.4 + 0.27 * len(groups))
    axis.boxplot(
        [group.to_numpy() for _, group in groups],
        orientation="horizontal",
        whis=(5, 95),
        widths=0.65,
        showfliers=False,
        patch_artist=True,
        boxprops={"facecolor": COLORS[5], "edgecolor": COLORS[0]},
        medianprops={"color": COLORS[1], "linewidth": 2},
    )
    names = [f"{name} ({len(group):,})" for name, group in groups]
    axis.set_yticks(range(1, len(names) + 1), names, fontsize=8.5)
    axis.axvline(np.median(prices) / 1000, color="#555555", linestyle="--", linewidth=1.2)
    axis.set_xlabel("price (thousand $); dashed: the median of all")
    return fig


def price_over_time(features: pd.DataFrame, prices: Float[np.ndarray, " houses"]) -> Figure:
    """Quartiles of the price in each quarter of a year, and how many houses were sold in it.

    Args:
        features: with `YrSold` and `MoSold`.
        prices: in dollars.
    """
    quarter = features["YrSold"] + (features["MoSold"] - 1) // 3 / 4
    grouped = pd.Series(prices / 1000).groupby(quarter.to_numpy())
    low, middle, high = (grouped.quantile(level) for level in (0.25, 0.5, 0.75))
    fig, (top, bottom) = figure(
        "Price over time", rows=2, width=8.0, height=5.0, sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    top.fill_between(middle.index, low, high, color=COLORS[0], alpha=0.2, linewidth=0, label="middle half")
    top.plot(middle.index, middle, marker="o", color=COLORS[0], label="median")
    top.set_ylabel("price (thousand $)")
    top.legend(fontsize=9)
    bottom.bar(grouped.size().index, grouped.size(), width=0.2, color=COLORS[0])
    bottom.set_ylabel("sales")
    bottom.set_xticks(np.unique(np.floor(middle.index)))
    bottom.xaxis.set_major_formatter("{x:.0f}")
    bottom.set_xlabel("quarter of the sale")
    return fig


def explained_by_category(features: pd.DataFrame, prices: Float[np.ndarray, " houses"], top: int = 20) -> Figure:
    """The share of the variance of the log price that each column of text explains by itself.

    That is the adjusted share (epsilon squared, Kelley 1935), which chance alone makes 0 on average however many
    categories there are.
    """
    logs, shares = np.log(prices), {}
    for name in features.select_dtypes(exclude="number"):
        codes, categories = pd.factorize(features[name].fillna("not recorded"))
        if len(categories) < 2:
            continue
        means = np.bincount(codes, logs) / np.bincount(codes)
        within = np.sum((logs - means[codes]) ** 2) / max(1, len(logs) - len(categories))
        shares[name] = 1 - within / logs.var(ddof=1)
    ranked = pd.Series(shares).sort_values().iloc[-top:]
    fig, axis = figure("What each category says about the price", width=8.0, height=1.4 + 0.27 * len(ranked))
    axis.barh(ranked.index, 100 * ranked, color=COLORS[0])
    axis.tick_params(axis="y", labelsize=8.5)
    axis.grid(axis="y", visible=False)
    axis.set_xlabel("variance of the log price explained (%)")
    return fig


def price_by_size(features: pd.DataFrame, prices: Float[np.ndarray, " houses"]) -> Figure:
    """Every house by living area and price, both logarithmic, in the colour of its quality."""
    fig, axis = figure("Price by living area", width=8.0, height=5.0)
    points = axis.scatter(
        features["GrLivArea"], prices / 1000, c=features["OverallQual"], cmap=SEQUENTIAL, s=16, edgecolors="none"
    )
    axis.set(xscale="log", yscale="log", xlabel="living area (square feet)", ylabel="price (thousand $)")
    for one in (axis.xaxis, axis.yaxis):
        round_ticks(one, list(one.get_view_interval()))
    fig.colorbar(points, ax=axis, label="overall quality, 1 to 10")
    return fig
