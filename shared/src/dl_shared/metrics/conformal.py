"""Intervals around point forecasts that cover what they promise, also when the world changes.

Three steps, for each day ahead h and each nominal coverage c (interval = forecast +- factor * scale):

1. The score of a forecast is its error in units of a scale known on the day it was made, e = |y - f| / scale. A scale
   that follows the market makes calm and wild times alike, and one company like another: the scores of all companies
   may then be pooled (locally weighted conformal prediction, Lei et al. 2018, arXiv:1604.04173, section 5.2).
2. The factor is the ceil((n + 1) c)-th smallest of n scores on validation data (split conformal prediction, section
   2). Where test days are like validation days this covers at least c.
3. They are not: so the factor follows the misses that have become known since. Each forecast whose day has come moves

       log factor += rate * (missed - (1 - c))

   upwards after a miss, downwards a little after a hit. This is quantile tracking of the scores' logarithms
   (Angelopoulos, Candès and Tibshirani 2023, arXiv:2307.16895, section 2), whose long-run coverage is c whatever the
   data do, as long as the scores stay bounded. The logarithm keeps factors positive and makes the rate a share of
   them. Departure: the answer to a forecast h days ahead comes h days late.
"""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

SMALLEST_FACTOR = 1e-6  # its logarithm is finite


def coverages(levels: Sequence[float]) -> Float[np.ndarray, " pairs"]:
    """Nominal coverage of the intervals between first and last level, second and last but one, ...

    Raises:
        ValueError: unless levels ascend, are odd in number and symmetric around 0.5.
    """
    level = np.asarray(levels, float)
    if len(level) % 2 == 0 or not np.allclose(level + level[::-1], 1) or not (np.diff(level) > 0).all():
        raise ValueError(f"levels must ascend and lie symmetrically around 0.5, got {list(levels)}")
    return (level[::-1] - level)[: len(level) // 2]


def fit_factors(
    scores: Float[np.ndarray, "windows horizon"], levels: Sequence[float]
) -> Float[np.ndarray, "horizon pairs"]:
    """Step 2: by how many scales each interval reaches to both sides, for each day ahead.

    Args:
        scores: |actual - forecast| / scale of validation windows.
        levels: of the quantiles wanted, see `coverages`.
    """
    ordered, n = np.sort(scores, axis=0), len(scores)
    # 0.95 - 0.05 is a little more than 0.9 in binary, and must not cost a rank
    ranks = [min(math.ceil((n + 1) * nominal - 1e-9), n) for nominal in coverages(levels)]
    return np.maximum(np.stack([ordered[rank - 1] for rank in ranks], axis=-1), SMALLEST_FACTOR)


def track_factors(
    scores: Float[np.ndarray, "days horizon"],
    factors: Float[np.ndarray, "horizon pairs"],
    levels: Sequence[float],
    *,
    rate: float,
) -> Float[np.ndarray, "days horizon pairs"]:
    """Step 3: the factors in force on each day, moved by what was known by then.

    Args:
        scores: of the forecasts that one company got on successive days; an entry is read only on the day that it is
            known, h rows later, so that entries still unknown may hold anything.
        factors: before the first of these days.
        levels: as for `fit_factors`.
        rate: share by which a miss widens an interval; 0 leaves the factors as they are.
    """
    days, horizon = scores.shape
    allowed = 1 - coverages(levels)
    logs = np.log(factors)
    in_force = np.empty((days, *factors.shape))
    for day in range(days):
        ahead = np.arange(1, min(day, horizon) + 1)
        asked = day - ahead, ahead - 1  # the forecasts for this very day
        missed = scores[asked][:, None] > in_force[asked]
        logs[ahead - 1] += rate * (missed - allowed)
        in_force[day] = np.exp(logs)
    return in_force


def make_quantiles(
    forecasts: Float[np.ndarray, "windows horizon"],
    scales: Float[np.ndarray, " windows"],
    factors: Float[np.ndarray, "*windows horizon pairs"],
) -> Float[np.ndarray, "windows horizon levels"]:
    """The ends of all intervals in ascending order, the forecast in their middle.

    A wider interval is at least as wide as a narrower one, wherever tracking has led the two.
    """
    nested = np.maximum.accumulate(factors[..., ::-1], axis=-1)  # from the narrowest
    half = scales[:, None, None] * np.broadcast_to(nested, (*forecasts.shape, nested.shape[-1]))
    middle = forecasts[..., None]
    return np.concatenate([middle - half[..., ::-1], middle, middle + half], axis=-1)
