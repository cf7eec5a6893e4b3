"""3 x 3 convolutions of images that lie features first and batch last, and which program computes them fastest.

XLA's CPU backend runs a bfloat16 matrix product with float32 sums on the processor's matrix units, but a convolution on
its vector units, and the gradients of a convolution slower still. With `p` the images padded by zeros,

    y[:, r, c, :] = sum over i, j of kernel[i, j]' @ p[:, r + i, c + j, :]

is a sum of matrix products, and so are both of its gradients. In this order of axes (Krizhevsky's cuda-convnet had it
too) none of them transposes an array as large as the images: the kernel multiplies from the left, a row of an image is
a slice, and the kernel's gradient is a product of rows with rows. What remains is copying, which the CPU backend does
slowly for bfloat16 (it widens each number and rounds it again): copies are made of the bits, as integers.
`benchmarks/flax_cifar10.py` measures all this.
"""

from collections.abc import Callable
from functools import reduce

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

Images = Float[Array, "in_features height width batch"]
Outputs = Float[Array, "out_features height width batch"]
Kernel = Float[Array, "3 3 in_features out_features"]
Convolve = Callable[[Array, Array], Array]


def fastest_convolution(platform: str) -> Convolve:
    """What computes a 3 x 3 convolution on `cpu`, `gpu` or `tpu`."""
    return convolve_by_products if platform == "cpu" else convolve_by_xla


def convolve_by_xla(inputs: Images, kernel: Kernel) -> Outputs:
    """One operation of XLA, which lays the axes out in memory as the device likes them."""
    return jax.lax.conv_general_dilated(inputs, kernel, (1, 1), "SAME", dimension_numbers=("CHWN", "HWIO", "CHWN"))


@jax.custom_vjp
def convolve_by_products(inputs: Images, kernel: Kernel) -> Outputs:
    """The same as matrix products; shifted copies are made of whichever has fewer features, inputs or outputs."""
    before, after = kernel.shape[2:]
    return (_shift_then_multiply if before <= after else _multiply_then_shift)(inputs, kernel)


def _shift_then_multiply(inputs: Images, kernel: Kernel) -> Outputs:
    """Three products, one for each row of the kernel; its columns are one matrix, three times as wide."""
    columns = jnp.concatenate(_shifted(_padded(_bits(inputs)), axis=2))
    weights = kernel.reshape(3, -1, kernel.shape[-1]).swapaxes(1, 2)
    # Without the barrier XLA would make columns and weights anew inside each product.
    columns, weights = jax.lax.optimization_barrier((columns, weights))
    rows = (_matrix(_numbers(row, inputs.dtype)) for row in _shifted(columns, axis=1))
    outputs = reduce(jnp.add, (_multiply(weights[i], row) for i, row in enumerate(rows)))
    return outputs.astype(inputs.dtype).reshape(-1, *inputs.shape[1:])


def _multiply_then_shift(inputs: Images, kernel: Kernel) -> Outputs:
    """One product for all positions of the kernel, whose results are then shifted to where they belong and added."""
    before, after = kernel.shape[2:]
    weights = jax.lax.optimization_barrier(kernel.swapaxes(2, 3).reshape(9 * after, before))
    products = _multiply(weights, _matrix(inputs)).reshape(3, 3, after, *inputs.shape[1:])
    height, width = inputs.shape[1:3]
    windows = (_padded(products[i, j])[:, i : i + height, j : j + width] for i in range(3) for j in range(3))
    outputs = reduce(jnp.add, windows)
    return outputs.astype(inputs.dtype)


def _forward(inputs: Images, kernel: Kernel):
    return convolve_by_products(inputs, kernel), (inputs, kernel)


def _backward(residuals, gradient: Outputs):
    inputs, kernel = residuals
    # Autodiff of the products would multiply float32 gradients with bfloat16 inputs, away from the matrix units.
    to_inputs = convolve_by_products(gradient, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    return to_inputs, _to_kernel(inputs, gradient).astype(kernel.dtype)


convolve_by_products.defvjp(_forward, _backward)


def _to_kernel(inputs: Images, gradient: Outputs) -> Float[Array, "3 3 in_features out_features"]:
    """The kernel's gradient, summed row by row of the images: what one row needs stays in the processor's cache."""
    padded, outputs = _padded(_bits(inputs)), _bits(gradient)

    def matrix(rows: Shaped[Array, "features 1 width batch"]) -> Float[Array, "features n"]:
        return _matrix(_numbers(rows, inputs.dtype))

    def add_row(row, total: Float[Array, "9 out_features in_features"]) -> Float[Array, "9 out_features in_features"]:
        seen = jax.lax.dynamic_slice_in_dim(padded, row, 3, axis=1)
        windows = [window for line in _shifted(seen, axis=1) for window in _shifted(line, axis=2)]
        ours = matrix(jax.lax.dynamic_slice_in_dim(outputs, row, 1, axis=1))
        return total + jnp.stack([_correlate(ours, matrix(window)) for window in windows])

    zeros = jnp.zeros((9, len(gradient), len(inputs)), jnp.float32)
    total = jax.lax.fori_loop(0, gradient.shape[1], add_row, zeros)
    return total.swapaxes(1, 2).reshape(3, 3, len(inputs), len(gradient))


def _multiply(left: Float[Array, "rows n"], right: Float[Array, "n columns"]) -> Float[Array, "rows columns"]:
    return jnp.matmul(left, right, preferred_element_type=jnp.float32)


def _correlate(left: Float[Array, "rows n"], right: Float[Array, "columns n"]) -> Float[Array, "rows columns"]:
    return jnp.einsum("rn,cn->rc", left, right, preferred_element_type=jnp.float32)


def _padded(images: Shaped[Array, "features height width batch"]) -> Array:
    return jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _shifted(padded: Shaped[Array, "features rows columns batch"], *, axis: int) -> list[Array]:
    """What each of three positions of the kernel sees along this axis, which loses its two pixels of padding."""
    length = padded.shape[axis] - 2
    return [jax.lax.slice_in_dim(padded, start, start + length, axis=axis) for start in range(3)]


def _matrix(images: Shaped[Array, "features height width batch"]) -> Shaped[Array, "features n"]:
    return images.reshape(len(images), -1)


def _bits(images: Float[Array, "..."]) -> Shaped[Array, "..."]:
    return jax.lax.bitcast_convert_type(images, jnp.uint16) if images.dtype == jnp.bfloat16 else images


def _numbers(bits: Shaped[Array, "..."], dtype) -> Float[Array, "..."]:
    return jax.lax.bitcast_convert_type(bits, dtype) if bits.dtype == jnp.uint16 else bits
