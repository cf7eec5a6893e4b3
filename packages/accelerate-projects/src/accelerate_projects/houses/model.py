"""Linear regression of the log price, with the penalty of ridge regression (Hoerl and Kennard 1970)."""

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


def ridge_loss(
    predicted: Float[Tensor, " houses"],
    log_prices: Float[Tensor, " houses"],
    counted: Float[Tensor, " houses"],
    weight: Float[Tensor, " columns"],
    penalty: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The squared error, summed over the houses counted, and the penalty on the weights.

    The minimum of their sum over all houses is that of scikit-learn's `Ridge(alpha=penalty)`; the bias is free.

    Args:
        predicted: by the model.
        log_prices: of the houses.
        counted: 1 for a house, 0 for what only fills the batch.
        weight: of the model.
        penalty: alpha.
    """
    return (counted * (predicted - log_prices).square()).sum(), penalty * weight.square().sum()


def steepest(features: Float[Tensor, "houses columns"], penalty: float) -> tuple[float, float]:
    """Bounds on the curvature of the mean loss, in any direction of weights and bias: no more than, no less than.

    Args:
        features: of all training houses.
        penalty: alpha.
    """
    houses = len(features)
    with_bias = torch.nn.functional.pad(features.double(), (0, 1), value=1.0)
    largest = torch.linalg.matrix_norm(with_bias, 2).square().item() / houses
    return 2 * (largest + penalty / houses), 2 * min(1.0, penalty / houses)
