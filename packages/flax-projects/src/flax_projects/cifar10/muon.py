"""Muon: momentum, made orthogonal (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/).

Optax has it too (`optax.contrib.muon`); this one multiplies in bfloat16 where asked to, as its authors do, and keeps
each kernel's length, as they do for networks in which batch normalisation makes the length meaningless
(cifar10-airbench's `airbench94_muon.py`). Momentum is not corrected for its start at zero: orthogonalisation takes its
length away.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of X, X X' X and (X X')^2 X: the steepest slope at 0 that stays near 1


def orthogonalize(
    matrix: Float[Array, "rows columns"], *, steps: int = 5, dtype: Any = jnp.float32
) -> Float[Array, "rows columns"]:
    """Nearly the nearest matrix with orthonormal rows (or columns, if these are fewer): U V' of the matrix U S V'.

    The Newton-Schulz iteration brings singular values that are not tiny to about 0.7 to 1.2.

    Args:
        matrix: of any length; zero stays zero.
        steps: of the iteration.
        dtype: the factors of its products are rounded to this; sums are float32.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonalize(matrix.T, steps=steps, dtype=dtype).T

    def multiply(equation: str, left: Array, right: Array) -> Array:
        # Rounded behind a barrier, or XLA's CPU backend would round inside the product, away from the matrix units.
        left, right = jax.lax.optimization_barrier((left.astype(dtype), right.astype(dtype)))
        return jnp.einsum(equation, left, right, preferred_element_type=jnp.float32)

    linear, cubic, quintic = COEFFICIENTS
    matrix = matrix / (jnp.linalg.norm(matrix) + 1e-7)
    for _ in range(steps):
        gram = multiply("ik,jk->ij", matrix, matrix)
        polynomial = cubic * gram + quintic * multiply("ij,jk->ik", gram, gram)
        matrix = linear * matrix + multiply("ij,jk->ik", polynomial, matrix)
    return matrix


def muon(
    learning_rate: optax.ScalarOrSchedule, *, momentum: float, steps: int = 5, dtype: Any = jnp.float32
) -> optax.GradientTransformation:
    """Muon for the kernels of convolutions, each read as the matrix from its receptive field to its output features.

    An update of learning rate 1 is as long as the kernel, `sqrt(out_features)`; afterwards the kernel is scaled back to
    that length.
    """
    return optax.chain(
        optax.trace(momentum, nesterov=True),
        optax.stateless_with_tree_map(lambda update, _: _of_kernel(update, steps, dtype)),
        optax.scale_by_learning_rate(learning_rate),
        optax.stateless_with_tree_map(_keep_length),
    )


def _of_kernel(update: Float[Array, "*field out"], steps: int, dtype: Any) -> Float[Array, "*field out"]:
    matrix = update.reshape(-1, update.shape[-1])
    return _with_length(orthogonalize(matrix, steps=steps, dtype=dtype)).reshape(update.shape)


def _keep_length(update: Float[Array, "*field out"], kernel: Float[Array, "*field out"]) -> Float[Array, "*field out"]:
    return _with_length(kernel + update) - kernel


def _with_length(kernel: Float[Array, "*field out"]) -> Float[Array, "*field out"]:
    return kernel * (jnp.sqrt(kernel.shape[-1]) / (jnp.linalg.norm(kernel) + 1e-7))
