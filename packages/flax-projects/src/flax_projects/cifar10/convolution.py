"""A 3 x 3 convolution as nine matrix products, for processors on which that is the faster program.

XLA's CPU backend runs a bfloat16 matrix product with float32 sums on the processor's matrix units, but a convolution
on its vector units, and the gradients of a convolution slower still. Written as

    y[b, i, j] = sum over di, dj of x[b, i + di - 1, j + dj - 1] @ kernel[di, dj]

forward and backward pass are matrix products only. `benchmarks/flax_cifar10.py` measures both.
"""

import operator
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Images = Float[Array, "batch height width in_features"]
Kernel = Float[Array, "3 3 in_features out_features"]


def convolve_by_products(
    inputs: Images, kernel: Float[Array, "rows columns in_features out_features"], strides: Any, padding: Any, **_: Any
) -> Float[Array, "batch height width out_features"]:
    """`lax.conv_general_dilated` for one case, so that `nnx.Conv` can take it in its place.

    Args:
        inputs: channels last.
        kernel: 3 x 3.
        strides: must be 1.
        padding: must be "SAME".

    Raises:
        ValueError: on any other kernel size, stride or padding.
    """
    if kernel.shape[:2] != (3, 3) or tuple(strides) != (1, 1) or padding != "SAME":
        raise ValueError(f"only 3 x 3, stride 1, SAME; got kernel {kernel.shape[:2]}, {strides=}, {padding=}")
    return _convolve(inputs, kernel)


def fastest_convolution(platform: str) -> Callable[..., Any]:
    """What computes a 3 x 3 convolution on `cpu`, `gpu` or `tpu`."""
    return convolve_by_products if platform == "cpu" else jax.lax.conv_general_dilated


@jax.custom_vjp
def _convolve(inputs: Images, kernel: Kernel) -> Float[Array, "batch height width out_features"]:
    products = (
        jnp.matmul(window, kernel[di, dj], preferred_element_type=jnp.float32) for di, dj, window in _windows(inputs)
    )
    return reduce(operator.add, products).astype(inputs.dtype)


def _forward(inputs: Images, kernel: Kernel):
    return _convolve(inputs, kernel), (inputs, kernel)


def _backward(residuals, gradient: Float[Array, "batch height width out_features"]):
    inputs, kernel = residuals
    # Autodiff of the products would multiply float32 gradients with bfloat16 inputs, away from the matrix units.
    to_inputs = _convolve(gradient, jnp.flip(kernel, (0, 1)).swapaxes(2, 3))
    to_kernel = [
        jnp.einsum("bhwi,bhwo->io", window, gradient, preferred_element_type=jnp.float32)
        for _, _, window in _windows(inputs)
    ]
    return to_inputs, jnp.stack(to_kernel).reshape(kernel.shape).astype(kernel.dtype)


_convolve.defvjp(_forward, _backward)


def _windows(images: Images) -> Iterator[tuple[int, int, Images]]:
    """The images shifted by each position of the kernel, with zeros beyond their edges."""
    _, height, width, _ = images.shape
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for di in range(3):
        for dj in range(3):
            yield di, dj, padded[:, di : di + height, dj : dj + width]
