"""Rotary positions: attention that knows how far apart two places are (Su et al. 2021, arXiv:2104.09864)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def rotate(
    vectors: Float[Array, "batch places heads features"], positions: Int[Array, " places"], *, base: float
) -> Float[Array, "batch places heads features"]:
    """Turn the two halves of each vector against each other, by an angle that grows with its position (equation 15).

    Number i of the first half and number i of the second are a point in the plane, turned by
    position * base^(-i / half). The product of two turned vectors depends on their positions by the difference alone.

    Args:
        vectors: queries or keys; an even number of features.
        positions: of the places.
        base: the slowest pair turns nearly `base` times as slowly as the fastest, which turns once in 2 pi places.
    """
    half = vectors.shape[-1] // 2
    angles = (positions[:, None] * base ** (-jnp.arange(half) / half))[:, None]
    cos, sin = jnp.cos(angles), jnp.sin(angles)
    first, second = jnp.split(vectors.astype(jnp.float32), 2, axis=-1)
    turned = jnp.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)
    return turned.astype(vectors.dtype)
