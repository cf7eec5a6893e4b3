"""Scores of price forecasts, in prices, beside persistence, with intervals that allow for what rows share.

A forecast is a cumulative log return since day t; `base * exp(return)` makes it a price. Windows one day apart share
most of their targets and tickers share their days, so rows are far from independent. Intervals therefore resample
blocks of consecutive days t with all the tickers on them: the circular block bootstrap (Politis and Romano 1992, "A
circular block-resampling procedure for stationary data"). Every score is a ratio of sums over rows, so a replicate is
a weighted sum of daily sums and costs no pass over the rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from scipy.special import stdtr

from dl_shared.metrics.bootstrap import percentile_interval

Sums = Mapping[str, Any]

SCORES: dict[str, Callable[[Sums], Any]] = {
    "mae": lambda s: s["error"] / s["rows"],
    "rmse": lambda s: np.sqrt(s["squared"] / s["rows"]),
    "mape": lambda s: 100 * s["relative"] / s["rows"],
    "mase": lambda s: s["scaled"] / s["rows"],
    "directional_accuracy": lambda s: np.where(s["moved"] > 0, s["right"] / np.maximum(s["moved"], 1), np.nan),
    "skill": lambda s: 1 - s["error"] / s["persistence"],
}


def to_prices(
    log_returns: Float[np.ndarray, "windows horizon *more"], base_prices: Float[np.ndarray, " windows"]
) -> Float[np.ndarray, "windows horizon *more"]:
    """Prices from cumulative log returns since the day of the base price."""
    return base_prices.reshape(-1, *[1] * (log_returns.ndim - 1)) * np.exp(log_returns)


def score_forecasts(
    forecasts: Float[np.ndarray, "windows horizon"],
    targets: Float[np.ndarray, "windows horizon"],
    base_prices: Float[np.ndarray, " windows"],
    *,
    scales: Float[np.ndarray, " windows"],
    dates: Shaped[np.ndarray, " windows"],
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every score over all days ahead together, and for each under `horizons`.

    With the error e = forecast - actual in dollars, over all rows n:

        mae   sum |e| / n                          rmse  sqrt(sum e^2 / n)
        mape  100 / n * sum |e| / actual           mase  sum (|e| / scale) / n
        directional_accuracy  the share of actual moves whose sign was forecast; half for forecasting no move
        skill  1 - sum |e| / sum |e of persistence|

    MASE follows Hyndman and Koehler (2006), except that the in-sample error of the naive method is that of the year
    up to day t, not of the whole history: prices grow a hundredfold over decades.

    Args:
        forecasts: cumulative log returns since day t.
        targets: the actual ones.
        base_prices: the close of day t, dollars.
        scales: mean absolute one-day change before t, dollars.
        dates: day t, to tell which rows share days.
        replicates: bootstrap replicates; 0 leaves the intervals out.
        seed: of the bootstrap.

    Returns:
        `{"mae": ..., "mae_ci": [low, high], ..., "horizons": {"1": {"mae": ...}, ...}}`; `skill` is left out where
        persistence makes no error at all.
    """
    sums, days = _daily_sums(forecasts, targets, base_prices, scales, dates)
    horizon = forecasts.shape[1]
    weights = block_weights(days, block=2 * horizon, replicates=replicates, seed=seed) if replicates else None
    drawn = None if weights is None else {name: weights @ daily for name, daily in sums.items()}
    whole = {name: daily.sum(axis=0) for name, daily in sums.items()}

    def scores(column: int | None) -> dict[str, Any]:
        def part(values: Sums) -> Sums:
            return {k: v.sum(axis=-1) if column is None else v[..., column] for k, v in values.items()}

        point, spread = part(whole), None if drawn is None else part(drawn)
        found: dict[str, Any] = {}
        for name, score in SCORES.items():
            if name == "skill" and point["persistence"] == 0:
                continue
            found[name] = float(score(point))
            if spread is not None:
                with np.errstate(divide="ignore", invalid="ignore"):
                    found[f"{name}_ci"] = [float(edge) for edge in percentile_interval(score(spread))]
        return {name: value for name, value in found.items() if np.all(np.isfinite(value))}

    return scores(None) | {"horizons": {str(h + 1): scores(h) for h in range(horizon)}}


def _daily_sums(
    forecasts: Float[np.ndarray, "windows horizon"],
    targets: Float[np.ndarray, "windows horizon"],
    base_prices: Float[np.ndarray, " windows"],
    scales: Float[np.ndarray, " windows"],
    dates: Shaped[np.ndarray, " windows"],
) -> tuple[dict[str, Float[np.ndarray, "days horizon"]], int]:
    """What the scores are made of, summed over the rows of each day t."""
    actual = to_prices(targets, base_prices)
    error = np.abs(to_prices(forecasts, base_prices) - actual)
    terms = {
        "rows": np.ones_like(error),
        "error": error,
        "squared": error**2,
        "relative": error / actual,
        "scaled": error / scales[:, None],
        "persistence": np.abs(base_prices[:, None] - actual),
        "moved": (targets != 0).astype(float),
        "right": np.where(targets != 0, (np.sign(forecasts) * np.sign(targets) + 1) / 2, 0.0),
    }
    days, day = np.unique(dates, return_inverse=True)
    return {name: sum_by(term, day, len(days)) for name, term in terms.items()}, len(days)


def sum_by(
    values: Float[np.ndarray, "rows columns"], group: Int[np.ndarray, " rows"], groups: int
) -> Float[np.ndarray, "groups columns"]:
    """Sums of the rows of each group."""
    return np.stack([np.bincount(group, column, minlength=groups) for column in values.T], axis=1)


def block_weights(days: int, *, block: int, replicates: int, seed: int) -> Float[np.ndarray, "replicates days"]:
    """How often each day occurs in each replicate of the circular block bootstrap.

    Blocks of `block` consecutive days (at least the cube root of the number of days, at most all of them) start
    anywhere and wrap around the end. Days are drawn until there are as many as before, rounded up to whole blocks.
    """
    block = min(max(block, round(days ** (1 / 3)), 1), days)
    starts = np.random.default_rng(seed).integers(0, days, size=(replicates, -(-days // block)))
    weights = np.zeros((replicates, days))
    row = np.arange(replicates)[:, None]
    for offset in range(block):
        np.add.at(weights, (row, (starts + offset) % days), 1.0)
    return weights


def pinball_loss(
    quantiles: Float[np.ndarray, "*rows levels"], actual: Float[np.ndarray, "*rows"], levels: Sequence[float]
) -> Float[np.ndarray, "*rows levels"]:
    """max(q * (y - x), (q - 1) * (y - x)) for each level q, forecast x and actual y; lowest at the true quantile."""
    gap = actual[..., None] - quantiles
    level = np.asarray(levels)
    return np.maximum(level * gap, (level - 1) * gap)


def coverage(
    lower: Float[np.ndarray, "*rows"], upper: Float[np.ndarray, "*rows"], actual: Float[np.ndarray, "*rows"]
) -> float:
    """The share of actual values inside their intervals, edges included."""
    return float(np.mean((lower <= actual) & (actual <= upper)))


def crps_quantiles(
    quantiles: Float[np.ndarray, "*rows levels"], actual: Float[np.ndarray, "*rows"], levels: Sequence[float]
) -> Float[np.ndarray, "*rows"]:
    """Continuous ranked probability score of forecasts given by quantiles.

    Twice the integral of the pinball loss over all levels (Gneiting and Ranjan 2011, equation 17), by the trapezoid
    rule over the levels given; outside them the loss falls linearly to 0 at levels 0 and 1. Levels must ascend.
    """
    ends = np.concatenate([[0.0], np.asarray(levels, dtype=float), [1.0]])
    loss = pinball_loss(quantiles, actual, levels)
    padded = np.concatenate([np.zeros_like(loss[..., :1]), loss, np.zeros_like(loss[..., :1])], axis=-1)
    return 2 * np.trapezoid(padded, ends, axis=-1)


def crps_ensemble(
    samples: Float[np.ndarray, "*rows samples"], actual: Float[np.ndarray, "*rows"]
) -> Float[np.ndarray, "*rows"]:
    """Continuous ranked probability score of an ensemble: mean |x - y| - mean |x - x'| / 2.

    The second mean runs over all pairs, from the sorted members in one pass (Gneiting and Raftery 2007, equation 21).
    """
    members = samples.shape[-1]
    ordered = np.sort(samples, axis=-1)
    rank_weights = 2 * np.arange(1, members + 1) - members - 1
    pairs = (ordered * rank_weights).sum(axis=-1) / members**2  # half the mean distance of two members
    return np.abs(samples - actual[..., None]).mean(axis=-1) - pairs


def score_intervals(
    quantiles: Float[np.ndarray, "windows horizon levels"],
    targets: Float[np.ndarray, "windows horizon"],
    base_prices: Float[np.ndarray, " windows"],
    levels: Sequence[float],
    *,
    dates: Shaped[np.ndarray, " windows"],
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """CRPS and mean pinball loss in dollars, and the coverage of the widest interval, with block-bootstrap intervals.

    Args:
        quantiles: of the cumulative log returns, ascending along the last axis.
        levels: their levels, ascending, between 0 and 1; the first and the last span the interval.

    Returns:
        `crps`, `pinball`, `coverage` with `_ci`, `nominal_coverage`, and `horizons` with the same.
    """
    if any(low >= high for low, high in zip([0, *levels], [*levels, 1], strict=True)):
        raise ValueError(f"levels must ascend between 0 and 1, got {list(levels)}")
    actual, prices = to_prices(targets, base_prices), to_prices(quantiles, base_prices)
    terms = {
        "crps": crps_quantiles(prices, actual, levels),
        "pinball": pinball_loss(prices, actual, levels).mean(axis=-1),
        "coverage": ((prices[..., 0] <= actual) & (actual <= prices[..., -1])).astype(float),
        "rows": np.ones_like(actual),
    }
    days, day = np.unique(dates, return_inverse=True)
    sums = {name: sum_by(term, day, len(days)) for name, term in terms.items()}
    horizon = targets.shape[1]
    weights = block_weights(len(days), block=2 * horizon, replicates=replicates, seed=seed) if replicates else None

    def scores(columns: slice) -> dict[str, Any]:
        found: dict[str, Any] = {}
        daily = {name: values[:, columns].sum(axis=1) for name, values in sums.items()}
        for name in ("crps", "pinball", "coverage"):
            found[name] = float(daily[name].sum() / daily["rows"].sum())
            if weights is not None:
                drawn = (weights @ daily[name]) / (weights @ daily["rows"])
                found[f"{name}_ci"] = [float(edge) for edge in percentile_interval(drawn)]
        return found | {"nominal_coverage": round(float(levels[-1] - levels[0]), 6)}

    return scores(slice(None)) | {"horizons": {str(h + 1): scores(slice(h, h + 1)) for h in range(horizon)}}


def diebold_mariano(
    losses: Float[np.ndarray, " rows"],
    other_losses: Float[np.ndarray, " rows"],
    *,
    horizon: int,
    dates: Shaped[np.ndarray, " rows"] | None = None,
) -> tuple[float, float]:
    """Whether two forecasts differ in expected loss: statistic and two-sided p-value.

    The mean loss difference over its standard error (Diebold and Mariano 1995), with the autocovariances up to lag
    horizon - 1 that overlapping targets cause, the small-sample factor of Harvey, Leybourne and Newbold (1997,
    equation 9), and Student's t with n - 1 degrees of freedom. The plain sum of autocovariances can be negative; then
    they are weighted as in Newey and West (1987), which cannot.

    Args:
        losses: of the forecast in question, one per row, in time order unless `dates` are given.
        other_losses: of the one it is compared with.
        horizon: days ahead that the rows forecast.
        dates: where several tickers share days, rows of one day are averaged first, so that n counts days.

    Returns:
        (statistic, p): below 0 when `losses` are lower. (0, 1) when the two never differ.
    """
    difference = losses - other_losses
    if dates is not None:
        _, day = np.unique(dates, return_inverse=True)
        difference = np.bincount(day, difference) / np.bincount(day)
    n = len(difference)
    if n <= horizon:
        raise ValueError(f"{n} days are too few to compare forecasts {horizon} days ahead")
    if not difference.any():
        return 0.0, 1.0
    centred = difference - difference.mean()
    covariances = np.array([centred[lag:] @ centred[: n - lag] / n for lag in range(horizon)])
    variance = covariances[0] + 2 * covariances[1:].sum()
    if variance <= 0:
        variance = covariances[0] + 2 * ((1 - np.arange(1, horizon) / horizon) @ covariances[1:])
    correction = np.sqrt((n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n)
    with np.errstate(divide="ignore"):
        statistic = correction * difference.mean() / np.sqrt(variance / n)
    return float(statistic), float(2 * stdtr(n - 1, -abs(statistic)))
