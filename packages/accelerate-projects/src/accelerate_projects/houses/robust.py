"""The minimum that the loop descends to, by solving equations instead: fast enough to try many penalties in many folds.

Iteratively reweighted least squares (Holland and Welsch 1977): errors beyond the threshold weigh as much less as they
are larger. Tests hold it and the loop against each other, and both against a solver that knows neither.
"""

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

PENALTIES = np.logspace(0, 3, 31)
CLOSE = 1e-8  # between the log prices of two rounds
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
        penalty: alpha.
        threshold: in log price; infinity for ridge regression.
        close: ends when no predicted log price moves more.
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

    For the squared error that is leave-one-out, in closed form; with a threshold, `folds` folds.
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
