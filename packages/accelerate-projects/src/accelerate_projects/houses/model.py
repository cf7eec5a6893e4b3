"""Linear regression of the log price, with the penalty of ridge regression (Hoerl and Kennard 1970).

The loss is squared, or Huber's (1964): squared up to a threshold and linear beyond it, so that the few sales far from
what such houses cost do not decide what is learned from the others.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearRegression(nn.Module):
    """`log price = features @ weight + bias`.

    Args:
        columns: of the features.
        mean: of the log prices; the bias begins there.
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
    """The loss summed over houses, and the penalty on the weights; the bias has none.

        loss(e) = e^2                              if |e| <= threshold
                  2 threshold |e| - threshold^2    otherwise

    Loss and penalty together have one minimum. With an infinite threshold it is that of scikit-learn's
    `Ridge(alpha=penalty)`.

    Args:
        predicted: by the model.
        log_prices: of the houses.
        counted: 1 for a house, 0 for a row that only fills the batch.
        weight: of the model.
        penalty: factor of the squared weights, scikit-learn's alpha.
        threshold: in log price.
    """
    errors = predicted - log_prices
    within = errors.clamp(-threshold, threshold)
    return (counted * within * (2 * errors - within)).sum(), penalty * weight.square().sum()


def curvature_bounds(features: Float[Tensor, "houses columns"], penalty: float) -> tuple[float, float]:
    """An upper and a lower bound on the curvature of the mean loss, in every direction of weights and bias.

    The bounds are those of the squared loss. Huber's has less curvature; the lower bound still holds unless few houses
    lie within the threshold.

    Args:
        features: of all training houses.
        penalty: factor of the squared weights.
    """
    houses = len(features)
    with_bias = torch.nn.functional.pad(features.double(), (0, 1), value=1.0)
    largest = torch.linalg.matrix_norm(with_bias, 2).square().item() / houses
    return 2 * (largest + penalty / houses), 2 * min(1.0, penalty / houses)
