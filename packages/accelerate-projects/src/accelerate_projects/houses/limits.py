"""Limits on predicted prices: not far beyond the prices that were paid in the neighbourhood.

A linear model extrapolates: it would pay for the tenth bath of a mansion on the cheapest street. So the log prices of
every model are limited to the range of those paid in the neighbourhood, plus a margin. That changes few predictions,
those of houses unlike all others.
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
    """Log prices paid in each neighbourhood, of the training houses of a fold; plain data, kept as JSON."""

    lowest: dict[str, float]
    """By neighbourhood; one with fewer than `FEWEST` houses has no limits."""
    highest: dict[str, float]
    margin: float | None
    """How far beyond these a log price may be; None limits nothing."""

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
        """Log prices, limited to the range of each house's neighbourhood and the margin."""
        return within(log_prices, *self.ends(houses), self.margin)

    def ends(self, houses: pd.DataFrame) -> tuple[Float[np.ndarray, " houses"], Float[np.ndarray, " houses"]]:
        """Lowest and highest log price in the neighbourhood of each house, without the margin; NaN for no limit."""
        low, high = (houses[PLACE].map(ends).to_numpy(np.float64) for ends in (self.lowest, self.highest))
        return low, high

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "PriceRange":
        """From JSON of `vars(price_range)`.

        Raises:
            TypeError: if the values are something else.
        """
        return cls(**values)


def within(
    log_prices: Float[np.ndarray, " houses"],
    low: Float[np.ndarray, " houses"],
    high: Float[np.ndarray, " houses"],
    margin: float | None,
) -> Float[np.ndarray, " houses"]:
    """Log prices limited to `low - margin` and `high + margin`; NaN and None limit nothing."""
    if margin is None:
        return log_prices
    return np.fmax(np.fmin(log_prices, high + margin), low - margin)
