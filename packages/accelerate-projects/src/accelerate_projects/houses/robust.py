"""The minimum that the loop descends to, found by solving equations: fast enough to try many penalties in many folds.

Iteratively reweighted least squares (Holland and Welsch 1977): a house whose error is k times the threshold gets the
weight 1/k. Tests compare this with the loop, and both with a solver that knows neither.
"""

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

PENALTIES = np.logspace(0, 3, 31)
CLOSE = 1e-8  # largest change of a predicted log price at which rounds end
ROUNDS = 200


def solve(
    features: Float[np.ndarray, "houses columns"],
    log_prices: Float[np.ndarray, " houses"],
    penalty: float,
    threshold: float,
    *,
    close: float = CLOSE,
) -> tuple[Float[np.ndarray, " columns"], float]:
    """Weights and bias at the minimum of :func:`accelerate_projects.houses.model.penalised_loss`.

    Args:
        features: scaled.
        log_prices: of the houses.
        penalty: factor of the squared weights.
        threshold: in log price; infinity for ridge regression.
        close: ends when no predicted log price changes by more.
    """
    with_bias = np.column_stack([features, np.ones(len(features))])
    shrinkage = np.full(with_bias.shape[1], penalty)
    shrinkage[-1] = 0.0
    before, shares = np.full(len(features), np.inf), np.ones(len(features))
    for _ in range(ROUNDS):
        curvature = with_bias.T @ (with_bias * shares[:, None]) + np.diag(shrinkage)
        solution = np.linalg.solve(curvature, with_bias.T @ (shares * log_prices))
        predicted = with_bias @ solution
        if np.isinf(threshold) or np.abs(predicted - before).max() < close:
            break
        before, errors = predicted, np.abs(predicted - log_prices)
        shares = threshold / np.maximum(errors, threshold)
    return solution[:-1], float(solution[-1])


def choose_penalty(
    features: Float[np.ndarray, "houses columns"],
    log_prices: Float[np.ndarray, " houses"],
    threshold: float,
    *,
    seed: int,
    folds: int = 5,
) -> float:
    """The penalty with the smallest squared error on houses left out.

    Without a threshold each house is left out once, by a closed form; with one, each of `folds` folds.
    """
    if np.isinf(threshold):
        return float(RidgeCV(PENALTIES).fit(features, log_prices).alpha_)
    candidates = PENALTIES[::4]
    errors = np.zeros(len(candidates))
    for fit, held in KFold(folds, shuffle=True, random_state=seed).split(features):
        for number, penalty in enumerate(candidates):
            weight, bias = solve(features[fit], log_prices[fit], penalty, threshold, close=1e-3)
            errors[number] += np.square(features[held] @ weight + bias - log_prices[held]).sum()
    return float(candidates[errors.argmin()])
