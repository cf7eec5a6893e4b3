"""The houses that a model misjudges most: what moved its prediction, what is unusual about them, what like ones cost.

All sentences are made from numbers; which of these is the cause is left to the reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dl_shared.data.houses import CATEGORICAL, NUMERIC, Houses

RARE = 0.01  # share of the training houses beyond a number
RARE_KIND = 0.02  # share of the training houses in a category
LIKE = 5  # training houses that are compared with
LIKENESS = ("GrLivArea", "TotalBsmtSF", "OverallQual", "OverallCond", "YearBuilt", "GarageCars")


@dataclass(frozen=True)
class Misjudged:
    """One house, and what can be said about its error."""

    row: int
    """In the test part."""
    number: int
    """Its Id."""
    actual: float
    predicted: float
    parts: tuple[tuple[str, float], ...]
    """Columns that moved the log price most, from the mean house's, the largest first."""
    unusual: tuple[str, ...]
    like: float
    """Median price of the training houses most like it."""

    @property
    def error(self) -> float:
        """Relative to the actual price, in per cent."""
        return 100 * (self.predicted / self.actual - 1)

    @property
    def sentence(self) -> str:
        """All of that in words."""
        moved = ", ".join(f"{name} ({_percent(part)})" for name, part in self.parts)
        unusual = f" Unusual: {'; '.join(self.unusual)}." if self.unusual else " None of its columns is unusual."
        return (
            f"House {self.number} was sold for {self.actual:,.0f} dollars and predicted at {self.predicted:,.0f}"
            f" ({self.error:+.0f} %)."
            + (f" Most of what sets its predicted price apart: {moved}." if moved else "")
            + unusual
            + f" The {LIKE} training houses most like it have a median price of {self.like:,.0f}."
        )


def explain_largest(
    train: Houses,
    test: Houses,
    predicted: Float[np.ndarray, " test"],
    parts: pd.DataFrame | None = None,
    *,
    count: int = 8,
) -> list[Misjudged]:
    """The houses with the largest errors of the log price, the worst first.

    Args:
        train: houses with prices, that the model learned from.
        test: houses with prices.
        predicted: prices of the test houses.
        parts: how much each column moves the log price of each test house from that of the mean training house: for a
            linear model weight x (value - mean). None where a model has no such parts.
        count: how many houses.
    """
    assert train.prices is not None
    assert test.prices is not None
    worst = np.argsort(-np.abs(np.log(predicted / test.prices)), kind="stable")[:count]
    like = _median_of_like(train, test, worst)
    return [
        Misjudged(
            row=int(row),
            number=int(test.ids[row]),
            actual=float(test.prices[row]),
            predicted=float(predicted[row]),
            parts=() if parts is None else _largest(parts.iloc[row]),
            unusual=unusual(train.features, test.features.iloc[row]),
            like=float(price),
        )
        for row, price in zip(worst, like, strict=True)
    ]


def as_table(explained: Sequence[Misjudged]) -> dict[str, dict[str, Any]]:
    """For the summary of a run, and so for its page: a row for each house."""
    return {
        f"house {house.number}": {
            "actual": round(house.actual),
            "predicted": round(house.predicted),
            "error": f"{house.error:+.0f} %",
            "like it": round(house.like),
            "moved by": "; ".join(f"{name} {_percent(part)}" for name, part in house.parts),
            "unusual": "; ".join(house.unusual) or "nothing",
        }
        for house in explained
    }


def unusual(train: pd.DataFrame, house: pd.Series, most: int = 4) -> tuple[str, ...]:
    """What sets a house apart from the training houses: extreme numbers, rare categories, special sales.

    Args:
        train: the 79 columns of the training houses.
        house: those of one other.
        most: how many to name, the rarest first.
    """
    found: list[tuple[float, str]] = []
    for name in NUMERIC:
        known, value = train[name].dropna(), house[name]
        if known.empty or np.isnan(value):
            continue
        above, below = float((known < value).mean()), float((known > value).mean())
        if above > 1 - RARE or below > 1 - RARE:
            beyond = max(above, below)
            share = "all" if beyond == 1 else f"{100 * beyond:.1f} %"
            word = "above" if above > below else "below"
            found.append((1 - beyond, f"{name} {value:,.0f}, {word} {share} of the training houses"))
    for name in CATEGORICAL:
        share_of_kind = float((train[name] == house[name]).mean())
        if pd.notna(house[name]) and share_of_kind < RARE_KIND:
            seen = "no training house has" if share_of_kind == 0 else f"{100 * share_of_kind:.1f} % of them have"
            found.append((share_of_kind, f"{name} {house[name]}, which {seen}"))
    sale = [] if house["SaleCondition"] == "Normal" else [f"sold as {house['SaleCondition']}"]
    named = [text for _, text in sorted(found, key=lambda item: item[0])]
    return (*sale, *named[: most - len(sale)])


def _largest(parts: pd.Series, most: int = 4) -> tuple[tuple[str, float], ...]:
    chosen = parts.reindex(parts.abs().sort_values(ascending=False, kind="stable").index[:most])
    return tuple((str(name), float(part)) for name, part in chosen.items())


def _percent(part: float) -> str:
    """What a part of a log price does to the price."""
    return f"{100 * np.expm1(part):+.0f} %"


def _median_of_like(train: Houses, test: Houses, rows: Int[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Median price of the nearest training houses, by `LIKENESS` in standard deviations; another place is one."""
    assert train.prices is not None
    known, asked = (
        part.features[list(LIKENESS)].fillna(train.features[list(LIKENESS)].median()) for part in (train, test)
    )
    spread = known.std(ddof=0).replace(0, 1)
    known, asked = (known / spread).fillna(0).to_numpy(), (asked.iloc[rows] / spread).fillna(0).to_numpy()
    distances = np.square(asked[:, None, :] - known[None]).sum(axis=2)
    places = train.features["Neighborhood"].to_numpy(), test.features["Neighborhood"].to_numpy()[rows]
    distances += places[1][:, None] != places[0][None]
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :LIKE]
    return np.median(train.prices[nearest], axis=1)
