"""Scores of predicted amounts, such as house prices."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.metrics.bootstrap import bootstrap_replicates, percentile_interval


def score_regression(
    predicted: Float[np.ndarray, " rows"],
    actual: Float[np.ndarray, " rows"],
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Errors of predicted amounts, each with its 95 % bootstrap interval under `<name>_ci`.

        rmse      sqrt(mean (p - a)^2), in the unit of the amounts
        rmse_log  sqrt(mean (log p - log a)^2): about the relative error
        mae       mean |p - a|
        r2        1 - sum (p - a)^2 / sum (a - mean a)^2

    Args:
        predicted: positive amounts.
        actual: positive amounts, not all the same.
        replicates: bootstrap replicates over rows; 0 leaves the intervals out.
        seed: of the bootstrap.

    Raises:
        ValueError: on amounts of 0 or less, for which the logarithm is not defined, or fewer than two rows.
    """
    if len(actual) < 2 or not (predicted > 0).all() or not (actual > 0).all():
        raise ValueError("regression scores need at least two rows, and amounts above 0")
    error = predicted - actual
    centred = actual - actual.mean()  # so that r2 loses no digits to the size of the amounts
    rows = np.stack([error**2, np.log(predicted / actual) ** 2, np.abs(error), centred, centred**2], axis=1)
    scores: dict[str, Any] = {name: float(value) for name, value in zip(_NAMES, _from_means(rows), strict=True)}
    if replicates:
        low, high = percentile_interval(bootstrap_replicates(_from_means, rows, replicates=replicates, seed=seed))
        scores |= {f"{name}_ci": [float(a), float(b)] for name, a, b in zip(_NAMES, low, high, strict=True)}
    return scores


def compare_regression(
    predictions: Mapping[str, Float[np.ndarray, " rows"]],
    actual: Float[np.ndarray, " rows"],
    reference: str,
    *,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """Models on the same rows, each against one of them: `rmse_log`, `rmse`, and how much more of each than that one.

    Intervals are of 95 %, by the bootstrap over rows. One drawing serves all models: the intervals of
    `rmse_log_more` and `rmse_more` are of paired differences.

    Args:
        predictions: positive amounts, by the name of the model.
        actual: positive amounts.
        reference: the model that the others are compared with.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        A row for each model.
    """
    names = list(predictions)
    by_model = np.stack([predictions[name] for name in names], axis=1)
    squares = np.stack([np.log(by_model / actual[:, None]) ** 2, (by_model - actual[:, None]) ** 2], axis=1)
    at = names.index(reference)

    def roots(rows: Float[np.ndarray, "rows 2 models"]) -> Float[np.ndarray, "4 models"]:
        scores = np.sqrt(rows.mean(axis=0))
        return np.concatenate([scores, scores - scores[:, [at]]])

    values = roots(squares)
    low, high = percentile_interval(bootstrap_replicates(roots, squares, replicates=replicates, seed=seed))
    compared: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(names):
        row: dict[str, Any] = {}
        for figure, score in enumerate(("rmse_log", "rmse", "rmse_log_more", "rmse_more")):
            if score.endswith("_more") and name == reference:
                continue
            row[score] = float(values[figure, column])
            row[f"{score}_ci"] = [float(low[figure, column]), float(high[figure, column])]
        compared[name] = row
    return compared


_NAMES = ("rmse", "rmse_log", "mae", "r2")


def _from_means(rows: Float[np.ndarray, "rows 5"]) -> Float[np.ndarray, " 4"]:
    squared, squared_log, absolute, amount, amount_squared = rows.mean(axis=0)
    variance = amount_squared - amount**2
    r2 = 1 - squared / variance if variance > 0 else np.nan
    return np.array([np.sqrt(squared), np.sqrt(squared_log), absolute, r2])
