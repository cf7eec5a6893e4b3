"""Matrix products with fp32 sums whose gradients are as fast as themselves.

XLA's CPU backend hands a product to the processor's matrix units only in one layout: rows of the left operand times
columns of the right. Both gradients of `inputs @ kernel` have a transposed operand, for which it falls back to
converting everything to float32 and to a slower library. Here each is brought into that layout first; a product by
blocks keeps what is transposed in the cache. `benchmarks/flax_shakespeare.py` measures the difference.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

BLOCK = 512  # rows that are transposed, and summed over, at a time


@jax.custom_vjp
def product(
    inputs: Float[Array, "*rows features"], kernel: Float[Array, "features outputs"], bias: Float[Array, " outputs"]
) -> Float[Array, "..."]:
    """`inputs @ kernel + bias` in the format of the inputs, with sums in float32.

    Returns:
        `(*rows, outputs)`, in the format of the inputs.
    """
    return (sums(inputs, kernel.astype(inputs.dtype)) + bias).astype(inputs.dtype)


def _forward(inputs, kernel, bias):
    return product(inputs, kernel, bias), (inputs, kernel, bias)


def _backward(residuals, gradient):
    inputs, kernel, bias = residuals
    to_inputs = sums(gradient, transpose(kernel).astype(gradient.dtype)).astype(inputs.dtype)
    to_bias = gradient.reshape(-1, len(bias)).sum(0, dtype=jnp.float32)
    return to_inputs, outer_sum(inputs, gradient).astype(kernel.dtype), to_bias.astype(bias.dtype)


product.defvjp(_forward, _backward)


def transpose(matrices: Float[Array, "*batch rows columns"]) -> Float[Array, "*batch columns rows"]:
    """Each matrix transposed, laid out anew in memory on a CPU; elsewhere no more than another view."""
    return jax.lax.platform_dependent(matrices, cpu=_transpose_in_memory, default=_transpose_in_name)


def outer_sum(
    left: Float[Array, "*rows features"], right: Float[Array, "*rows outputs"]
) -> Float[Array, "features outputs"]:
    """Sum over all rows of the outer product of a row on the left with the row on the right, in float32."""
    left, right = left.reshape(-1, left.shape[-1]), right.reshape(-1, right.shape[-1])
    return jax.lax.platform_dependent(left, right, cpu=_outer_sum_by_blocks, default=_outer_sum_at_once)


def sums(
    left: Float[Array, "... rows inner"], right: Float[Array, "... inner columns"]
) -> Float[Array, "... rows columns"]:
    """`left @ right` in float32."""
    return jnp.matmul(left, right, preferred_element_type=jnp.float32)


def _outer_sum_at_once(left, right):
    return sums(left.T, right)


def _outer_sum_by_blocks(left, right):
    blocks, rest = divmod(len(left), BLOCK)
    total = sums(_transpose_in_memory(left[len(left) - rest :]), right[len(left) - rest :])
    if blocks == 0:
        return total
    columns = _transpose_in_memory(left[: blocks * BLOCK].reshape(blocks, BLOCK, left.shape[-1]))
    rows = right[: blocks * BLOCK].reshape(blocks, BLOCK, right.shape[-1])
    return jax.lax.fori_loop(0, blocks, lambda block, total: total + sums(columns[block], rows[block]), total)


def _transpose_in_name(matrices):
    return matrices.swapaxes(-1, -2)


def _transpose_in_memory(matrices):
    """In float32, because XLA moves single bfloat16 numbers several times as slowly."""
    swapped = matrices.astype(jnp.float32).swapaxes(-1, -2)
    # Flattened, or the compiler would keep the old layout and call it transposed.
    return jax.lax.optimization_barrier(swapped.reshape(-1)).reshape(swapped.shape).astype(matrices.dtype)


class Linear(nnx.Module):
    """`nnx.Linear` by `product`.

    **Shape:** `(*rows, features)` to `(*rows, outputs)`.
    """

    def __init__(self, features: int, outputs: int, *, rngs: nnx.Rngs) -> None:
        self.kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (features, outputs)))
        self.bias = nnx.Param(jnp.zeros(outputs))

    def __call__(self, inputs: Float[Array, "*rows features"]) -> Float[Array, "..."]:
        return product(inputs, self.kernel[...], self.bias[...])


def normalized(inputs: Float[Array, "*rows features"]) -> Float[Array, "*rows features"]:
    """Each row divided by the root of its mean square; the product that follows learns the scale."""
    wide = inputs.astype(jnp.float32)
    return (wide * jax.lax.rsqrt(jnp.mean(wide**2, axis=-1, keepdims=True) + 1e-6)).astype(inputs.dtype)
