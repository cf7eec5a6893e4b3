"""Conformal calibration: intervals that cover what they promise, by how far the truth lay outside on validation data.

A network's quantiles are as wide as its training data made them. Conformalized quantile regression (Romano, Patterson
and Candès 2019, arXiv:1905.03222) moves both ends of an interval by one number, chosen so that the wanted share of
validation targets is inside. Departure: ends move by a *factor* of their distance from the median instead of by a
constant number of percent, so that the correction is large when prices are wild and small when they are calm (a
relative score, as in Sesia and Candès 2020, arXiv:1909.05433), and no interval is ever turned inside out.

The guarantee of the paper needs exchangeable windows. Windows that share days are not, and markets change: coverage on
test data is therefore measured, and not implied.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Quantiles = Float[np.ndarray, "windows horizon levels"]
SMALLEST_WIDTH = 1e-12  # of a half of an interval; the division needs one above 0


def fit_stretch(
    quantiles: Quantiles, targets: Float[np.ndarray, "windows horizon"], levels: Sequence[float]
) -> Float[np.ndarray, "horizon pairs"]:
    """The factor by which each interval has to be stretched, for each day ahead.

    The score of window i is how far its target lies from the median, in half-widths on that side:

        e_i = max((m - y) / (m - low), (y - m) / (high - m))

    and the factor of an interval of nominal coverage c is the ceil((n + 1) c)-th smallest of the n scores.

    Args:
        quantiles: forecast for validation windows, ascending.
        targets: what came.
        levels: of the quantiles, symmetric around 0.5; the pairs are (first, last), (second, last but one), ...
    """
    middle, n = len(levels) // 2, len(quantiles)
    median = quantiles[..., middle]
    factors = []
    for i in range(middle):
        low, high = (np.maximum(np.abs(quantiles[..., j] - median), SMALLEST_WIDTH) for j in (i, len(levels) - 1 - i))
        scores = np.sort(np.maximum((median - targets) / low, (targets - median) / high), axis=0)
        nominal = levels[-1 - i] - levels[i]
        rank = min(math.ceil((n + 1) * nominal - 1e-9), n)  # 0.95 - 0.05 is a little more than 0.9 in binary
        factors.append(scores[rank - 1])
    return np.stack(factors, axis=-1)


def stretch_intervals(quantiles: Quantiles, factors: Float[np.ndarray, "horizon pairs"]) -> Quantiles:
    """Intervals stretched around their medians; one that would be left inside a narrower one takes its ends."""
    middle = quantiles.shape[-1] // 2
    by_level = np.concatenate([factors, np.ones_like(factors[:, :1]), factors[:, ::-1]], axis=-1)
    median = quantiles[..., middle : middle + 1]
    moved = median + by_level * (quantiles - median)
    moved[..., middle:] = np.maximum.accumulate(moved[..., middle:], axis=-1)
    moved[..., middle::-1] = np.minimum.accumulate(moved[..., middle::-1], axis=-1)
    return moved
