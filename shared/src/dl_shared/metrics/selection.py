"""What the best of many tried forecasts is worth: its score, less what is due to having chosen it.

Whoever tries a hundred forecasts of a random walk finds one that beats persistence on the days it was chosen by. Two
questions are answered here from the losses of every one tried, on the same days:

- Is any of them better than the benchmark at all? Hansen's test of superior predictive ability (2005, "A Test for
  Superior Predictive Ability", Journal of Business & Economic Statistics 23), White's reality check (2000) made less
  sensitive to hopeless alternatives.
- How good is the chosen one? The choice is made again on days drawn at random, and scored on the days not drawn: the
  bootstrap bias correction of Tsamardinos, Greasidou and Borboudakis (2018, "Bootstrapping the out-of-sample
  predictions for efficient and accurate cross-validation", Machine Learning 107, section 3.1).

Departure in both: days come in blocks of consecutive ones (the circular block bootstrap, as everywhere in this
package), because forecasts of overlapping periods err together.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dl_shared.metrics.bootstrap import percentile_interval
from dl_shared.metrics.forecasting import block_weights

REPLICATES = 2000


@dataclass(frozen=True)
class Deflated:
    """The score of the best of many, and what is left of it.

    Attributes:
        chosen: which of the tried is the best.
        tried: how many there are.
        skill: 1 - loss / loss of the benchmark of the chosen one, on the days by which it was chosen.
        deflated: the same on days by which it was not.
        deflated_ci: the 95 % interval of the skill, moved as far; that of the days not drawn would be one of a third of
            all days.
        p_value: how often the best would look as good if none were better than the benchmark.
    """

    chosen: int
    tried: int
    skill: float
    deflated: float
    deflated_ci: tuple[float, float]
    p_value: float


def deflate(
    losses: Float[np.ndarray, "tried days"],
    benchmark: Float[np.ndarray, " days"],
    *,
    block: int,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Deflated:
    """Judge the one with the lowest loss of all that were tried.

    Args:
        losses: of each, for each day; sums over what a day holds.
        benchmark: of what they are compared with (persistence), likewise.
        block: consecutive days that are drawn together: twice the horizon, say.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: if there are no days, fewer than two blocks of them, or losses that are not finite.
    """
    days = len(benchmark)
    if days < 2 * block or not np.isfinite(losses).all():
        raise ValueError(f"need finite losses of at least {2 * block} days, got {days}")
    weights = block_weights(days, block=block, replicates=replicates, seed=seed)
    chosen = int(losses.sum(axis=1).argmin())
    within = weights @ losses.T  # of each replicate and forecast
    outside = (weights == 0).astype(float)
    best = within.argmin(axis=1)
    held_out = np.einsum("rd,rd->r", outside, losses[best])
    skill = float(1 - losses[chosen].sum() / benchmark.sum())
    deflated = float(np.nanmean(1 - held_out / (outside @ benchmark)))
    low, high = percentile_interval(1 - within[:, chosen] / (weights @ benchmark))
    return Deflated(
        chosen=chosen,
        tried=len(losses),
        skill=skill,
        deflated=deflated,
        deflated_ci=(float(low + deflated - skill), float(high + deflated - skill)),
        p_value=superior_ability(benchmark - losses, weights),
    )


def skill_interval(
    losses: Float[np.ndarray, " days"], benchmark: Float[np.ndarray, " days"], *, block: int
) -> tuple[float, tuple[float, float]]:
    """1 - loss / loss of the benchmark of one forecast that was not chosen by these days, and its 95 % interval."""
    weights = block_weights(len(benchmark), block=block, replicates=REPLICATES, seed=0)
    low, high = percentile_interval(1 - (weights @ losses) / (weights @ benchmark))
    return float(1 - losses.sum() / benchmark.sum()), (float(low), float(high))


def superior_ability(gains: Float[np.ndarray, "tried days"], weights: Float[np.ndarray, "replicates days"]) -> float:
    """The p-value of Hansen (2005), his SPA_c: whether any mean gain is above 0.

    Args:
        gains: loss of the benchmark less that of each forecast, for each day.
        weights: how often each day occurs in each replicate, see `block_weights`.
    """
    days = gains.shape[1]
    mean = gains.mean(axis=1)
    drawn = weights @ gains.T / weights.sum(axis=1, keepdims=True)
    deviation = np.maximum(np.sqrt(days) * drawn.std(axis=0), 1e-12)  # of root n times the mean
    statistic = max(float((np.sqrt(days) * mean / deviation).max()), 0.0)
    if statistic == 0:
        return 1.0
    # Forecasts that are clearly worse than the benchmark do not count against the best (equation 10).
    hopeless = np.sqrt(days) * mean / deviation <= -np.sqrt(2 * np.log(np.log(days)))
    centre = np.where(hopeless, 0.0, mean)
    largest = np.maximum((np.sqrt(days) * (drawn - centre) / deviation).max(axis=1), 0.0)
    return float((largest >= statistic).mean())
