"""Linear regression of the log price, with the penalty of ridge regression (Hoerl and Kennard 1970).

Errors are squared, or counted as Huber (1964) does: squared up to a threshold, in proportion beyond it, so that the few
sales far from what such houses cost do not decide what is learned from the others.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearRegression(nn.Module):
    """`log price = features @ weight + bias`.

    Args:
        columns: of the features.
        mean: of the log prices, where the bias begins.
    """

    def __init__(self, columns: int, mean: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(columns))
        self.bias = nn.Parameter(torch.tensor(mean))

    def forward(self, features: Float[Tensor, "houses columns"]) -> Float[Tensor, " houses"]:
        """Log prices."""
        return features @ self.weight + self.bias


def penalised_loss(
    predicted: Float[Tensor, " houses"],
    log_prices: Float[Tensor, " houses"],
    counted: Float[Tensor, " houses"],
    weight: Float[Tensor, " columns"],
    penalty: float,
    threshold: float = math.inf,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The errors, summed over the houses counted, and the penalty on the weights; the bias is free.

        error(e) = e^2                        where |e| <= threshold
                   2 threshold |e| - threshold^2    beyond

    Their sum over all houses has one minimum. With an infinite threshold it is that of scikit-learn's
    `Ridge(alpha=penalty)`.

    Args:
        predicted: by the model.
        log_prices: of the houses.
        counted: 1 for a house, 0 for what only fills the batch.
        weight: of the model.
        penalty: alpha.
        threshold: in log price.
    """
    errors = predicted - log_prices
    within = errors.clamp(-threshold, threshold)
    return (counted * within * (2 * errors - within)).sum(), penalty * weight.square().sum()


def steepest(features: Float[Tensor, "houses columns"], penalty: float) -> tuple[float, float]:
    """Bounds on the curvature of the mean loss, in any direction of weights and bias: no more than, no less than.

    They are those of the squared error; a threshold takes curvature away, of the bias only as long as few houses are
    within it.

    Args:
        features: of all training houses.
        penalty: alpha.
    """
    houses = len(features)
    with_bias = torch.nn.functional.pad(features.double(), (0, 1), value=1.0)
    largest = torch.linalg.matrix_norm(with_bias, 2).square().item() / houses
    return 2 * (largest + penalty / houses), 2 * min(1.0, penalty / houses)
