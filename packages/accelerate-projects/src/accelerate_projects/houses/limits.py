"""No house is taken to be worth much more, or less, than any that was sold in its neighbourhood.

A linear model goes on as straight beyond the houses it has seen as among them: it would pay for the tenth bath of a
mansion on the cheapest street. Whatever the model, its log prices are limited to the range of those that were paid in
the neighbourhood, and a margin. That concerns few houses, those that are unlike all others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from accelerate_projects.houses.preprocessing import FEWEST

PLACE = "Neighborhood"


@dataclass(frozen=True)
class PriceRange:
    """Learned from the training houses of a fold and nothing else; plain data, kept as JSON."""

    lowest: dict[str, float]
    """Log price, by neighbourhood; one with fewer than `FEWEST` houses has no limits."""
    highest: dict[str, float]
    margin: float | None
    """In log price, on both ends; None limits nothing."""

    @classmethod
    def fit(cls, houses: pd.DataFrame, log_prices: Float[np.ndarray, " houses"], margin: float | None) -> "PriceRange":
        """Learn from the training houses.

        Args:
            houses: the 79 columns of :class:`dl_shared.data.houses.Houses`.
            log_prices: of those houses.
            margin: in log price.
        """
        ranges = pd.Series(log_prices).groupby(houses[PLACE].to_numpy()).agg(["min", "max", "count"])
        ranges = ranges[ranges["count"] >= FEWEST]
        return cls(ranges["min"].to_dict(), ranges["max"].to_dict(), margin)

    def limit(self, log_prices: Float[np.ndarray, " houses"], houses: pd.DataFrame) -> Float[np.ndarray, " houses"]:
        """Log prices, within the range of each house's neighbourhood."""
        return within(log_prices, *self.ends(houses), self.margin)

    def ends(self, houses: pd.DataFrame) -> tuple[Float[np.ndarray, " houses"], Float[np.ndarray, " houses"]]:
        """Of the range, without the margin, for each house: lowest and highest; NaN where there is no limit."""
        low, high = (houses[PLACE].map(ends).to_numpy(np.float64) for ends in (self.lowest, self.highest))
        return low, high

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PriceRange":
        """From what `vars` of one became as JSON.

        Raises:
            TypeError: if it is something else.
        """
        return cls(**values)


def within(
    log_prices: Float[np.ndarray, " houses"],
    low: Float[np.ndarray, " houses"],
    high: Float[np.ndarray, " houses"],
    margin: float | None,
) -> Float[np.ndarray, " houses"]:
    """Limited to what lies between `low` and `high`, or beyond by no more than the margin."""
    if margin is None:
        return log_prices
    return np.fmax(np.fmin(log_prices, high + margin), low - margin)
