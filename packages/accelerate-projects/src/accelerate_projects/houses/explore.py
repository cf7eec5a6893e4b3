"""A page of what the houses are like, before anything is learned from them."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from accelerate_projects.houses.options import ExploreOptions
from dl_shared.data.houses import Houses, missing_counts
from dl_shared.plots import exploration
from dl_shared.plots import houses as plots
from dl_shared.report.gallery import Section, write_gallery
from dl_shared.report.render import Table, embed
from dl_shared.runs import runs_root
from dl_shared.tasks import houses

KEY_COLUMNS = ("OverallQual", "GrLivArea", "TotalBsmtSF", "GarageCars", "YearBuilt", "LotArea")


def explore(options: ExploreOptions) -> dict[str, Any]:
    """Write the page; returns its path, and the number and the median price of the houses.

    Only houses that a run with the same seed trains on are shown: looking at test houses would be using them.
    """
    data = houses.load(options.data, seed=options.seed)
    train = data.train
    assert train.prices is not None
    output = options.output or runs_root(options.runs_dir) / "accelerate-houses" / "exploration.html"
    output.parent.mkdir(parents=True, exist_ok=True)
    sections = [_prices(train.prices), _columns(train), _missing(train), _correlations(train, train.prices),
                _places(train, train.prices), _time(train, train.prices)]  # fmt: skip
    subtitle = f"{len(train):,} training houses of {data.source}; validation and test houses are not looked at"
    write_gallery(output, "House prices, explored", subtitle, sections)
    return {"page": str(output), "houses": len(train), "median_price": float(np.median(train.prices))}


def _prices(prices: Float[np.ndarray, " houses"]) -> Section:
    low, middle, high = np.quantile(prices, (0.05, 0.5, 0.95))
    skew, log_skew = (pd.Series(values).skew() for values in (prices, np.log(prices)))
    text = (
        f"Half of the houses cost less than {middle:,.0f} dollars, and nine in ten between {low:,.0f} and {high:,.0f}."
        f" The skewness is {skew:.2f}, that of the logarithm {log_skew:.2f}: errors are measured on the logarithm, so"
        " that a tenth of a cheap house counts as much as a tenth of a dear one."
    )
    return Section("Prices", (text,), pictures=(embed(plots.price_distribution(prices), "prices", "All prices."),))


def _columns(train: Houses) -> Section:
    numbers = train.features[list(KEY_COLUMNS)].describe(percentiles=[0.05, 0.5, 0.95])
    table = Table(
        "the columns that matter most",
        ("mean", "deviation", "5 %", "median", "95 %", "largest"),
        tuple(
            (name, tuple(f"{numbers.loc[row, name]:,.0f}" for row in ("mean", "std", "5%", "50%", "95%", "max")))
            for name in KEY_COLUMNS
        ),
    )
    picture = embed(exploration.distributions(train.features), "distributions", "Every column of numbers.")
    return Section("Distributions", tables=(table,), pictures=(picture,))


def _missing(train: Houses) -> Section:
    counts = missing_counts(train.features)
    unknown = counts[counts["missing"] > 0]
    absent, cells = int((counts["absent"] > 0).sum()), int(unknown["missing"].sum())
    most = f", {int(unknown['missing'].iloc[0]):,} of them in {unknown.index[0]}" if len(unknown) else ""
    text = (
        f"In {absent} columns NA says that there is no such thing: no pool, no alley. What was not recorded is another"
        f" matter, and rarer: {len(unknown)} columns, {cells:,} cells in all{most}."
    )
    picture = embed(plots.missingness(counts, len(train)), "missingness", "Cells that are empty, and why.")
    return Section("Missing values", (text,), pictures=(picture,))


def _correlations(train: Houses, prices: Float[np.ndarray, " houses"]) -> Section:
    return Section(
        "What goes with the price",
        pictures=(
            embed(plots.correlations(train.features, prices), "correlations", "Columns of numbers, by rank."),
            embed(
                exploration.explained_by_category(train.features, prices),
                "explained",
                "Columns of text: how much of the log price each explains by itself, less what chance would.",
            ),
            embed(
                exploration.price_by_size(train.features, prices),
                "size",
                "Large houses far below the others were sold before they were finished.",
            ),
        ),
    )


def _places(train: Houses, prices: Float[np.ndarray, " houses"]) -> Section:
    medians = pd.Series(prices).groupby(train.features["Neighborhood"].to_numpy()).median().sort_values()
    text = (
        f"The median house costs {medians.iloc[-1]:,.0f} dollars in {medians.index[-1]},"
        f" {medians.iloc[-1] / medians.iloc[0]:.1f} times as much as in {medians.index[0]}."
    )
    picture = embed(
        exploration.price_by_category(train.features, prices, "Neighborhood"),
        "neighbourhoods",
        "Boxes hold the middle half, whiskers nine in ten; in brackets, how many houses.",
    )
    return Section("Neighbourhoods", (text,), pictures=(picture,))


def _time(train: Houses, prices: Float[np.ndarray, " houses"]) -> Section:
    medians = pd.Series(prices).groupby(train.features["YrSold"].to_numpy()).median()
    change = 100 * (medians.iloc[-1] / medians.iloc[0] - 1)
    text = (
        f"From {medians.index[0]:.0f} to {medians.index[-1]:.0f} the median price changed by {change:+.0f} %, and sales"
        " come in seasons; the month is given to the model as a point on a circle."
    )
    picture = embed(exploration.price_over_time(train.features, prices), "time", "By quarter.")
    return Section("Time", (text,), pictures=(picture,))
