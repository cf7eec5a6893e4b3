"""The two networks: a whitening stem, blocks that halve the image, and a linear classifier.

The plan follows cifar10-airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498),
sections 3.1 to 3.3; the skip connection is that of He et al. 2015, "Deep Residual Learning", arXiv:1512.03385.
Departures: nothing in the stem is learned, and it may take a stride of 2 (for small machines); batch normalisation
learns its scale; dropout before the classifier.

Inside the network images lie features first and batch last, for the reason given in `convolution`.
"""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from flax_projects.cifar10.config import Config
from flax_projects.cifar10.convolution import convolve_by_xla


class Fixed(nnx.Variable):
    """An array that belongs to the model and is not learned."""


class WhiteningStem(nnx.Module):
    """Patches of pixels on their principal axes, each axis scaled to unit variance and taken with both signs.

    The filters are computed from training images (`whitening_filters`) and nothing here is learned, so that the
    backward pass ends at the first block. A patch is twice the stride wide; there is no padding.

    **Shape:** `(3, height, width, batch)` to `(features, height / stride - 1, width / stride - 1, batch)`.
    """

    def __init__(self, filters: Float[np.ndarray, "rows columns 3 axes"]) -> None:
        self.kernel = Fixed(jnp.concatenate([filters, -filters], axis=-1))
        self.stride = len(filters) // 2

    @property
    def features(self) -> int:
        return self.kernel.shape[-1]

    def __call__(self, inputs: Float[Array, "3 height width batch"]) -> Float[Array, "features rows columns batch"]:
        size, stride = 2 * self.stride, self.stride
        height, width = inputs.shape[1] - size, inputs.shape[2] - size
        patches = jnp.stack(
            [
                inputs[:, row : row + height + 1 : stride, column : column + width + 1 : stride]
                for row in range(size)
                for column in range(size)
            ]
        )  # (size * size, 3, rows, columns, batch)
        kernel = self.kernel[...].reshape(size * size, 3, -1)
        return nnx.gelu(jnp.einsum("pco,pchwb->ohwb", kernel, patches))


class Convolution(nnx.Module):
    """3 x 3 convolution, 2 x 2 max-pooling where asked for, and batch normalisation."""

    def __init__(
        self, in_features: int, out_features: int, *, pool: bool, convolve: Any, dtype: Any, rngs: nnx.Rngs
    ) -> None:
        # No bias: batch normalisation has one.
        self.kernel = nnx.Param(nnx.initializers.he_normal()(rngs.params(), (3, 3, in_features, out_features)))
        self.norm = nnx.BatchNorm(out_features, axis=0, momentum=0.9, dtype=jnp.float32, rngs=rngs)
        self.convolve, self.pool, self.dtype = convolve, pool, dtype

    def __call__(
        self, inputs: Float[Array, "in_features height width batch"]
    ) -> Float[Array, "out_features rows columns batch"]:
        outputs = self.convolve(inputs.astype(self.dtype), self.kernel[...].astype(self.dtype))
        return self.norm(max_pool(outputs) if self.pool else outputs)


class PlainBlock(nnx.Module):
    """Two convolutions; the first halves height and width."""

    def __init__(self, in_features: int, out_features: int, **layer: Any) -> None:
        self.first = Convolution(in_features, out_features, pool=True, **layer)
        self.second = Convolution(out_features, out_features, pool=False, **layer)

    def __call__(
        self, inputs: Float[Array, "in_features height width batch"]
    ) -> Float[Array, "out_features height//2 width//2 batch"]:
        return nnx.gelu(self.second(nnx.gelu(self.first(inputs))))


class ResidualBlock(nnx.Module):
    """Three convolutions; the first halves height and width, the other two are bridged by a skip connection."""

    def __init__(self, in_features: int, out_features: int, **layer: Any) -> None:
        self.first = Convolution(in_features, out_features, pool=True, **layer)
        self.second = Convolution(out_features, out_features, pool=False, **layer)
        self.third = Convolution(out_features, out_features, pool=False, **layer)

    def __call__(
        self, inputs: Float[Array, "in_features height width batch"]
    ) -> Float[Array, "out_features height//2 width//2 batch"]:
        skipped = nnx.gelu(self.first(inputs))
        return nnx.gelu(skipped + self.third(nnx.gelu(self.second(skipped))))


BLOCKS = {"cnn": PlainBlock, "resnet": ResidualBlock}


class Network(nnx.Module):
    """Stem, one block for each width, global max-pooling, dropout, classifier.

    **Shape:** `(batch, 32, 32, 3)`, normalised, to logits `(batch, classes)` in float32.

    Args:
        config: `model`, `widths`, `stem_stride`, `dropout` and `precision` are read.
        filters: of the stem, see `whitening_filters`.
        classes: how many logits.
        convolve: computes the 3 x 3 convolutions, such as `convolve_by_xla`.
        rngs: stream `params`.
    """

    def __init__(
        self,
        config: Config,
        filters: Float[np.ndarray, "rows columns 3 axes"],
        *,
        classes: int = 10,
        convolve: Any = convolve_by_xla,
        rngs: nnx.Rngs,
    ) -> None:
        dtype = jnp.bfloat16 if config.precision == "bf16" else jnp.float32
        self.stem = WhiteningStem(filters)
        block, features = BLOCKS[config.model], (self.stem.features, *config.widths)
        self.blocks = nnx.List(
            block(before, after, convolve=convolve, dtype=dtype, rngs=rngs) for before, after in pairwise(features)
        )
        self.dropout = nnx.Dropout(config.dropout)
        self.classifier = nnx.Linear(features[-1], classes, kernel_init=nnx.initializers.normal(0.01), rngs=rngs)

    def __call__(
        self, inputs: Float[Array, "batch height width 3"], rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch classes"]:
        """Logits; `rngs` (stream `dropout`) is needed in training only."""
        features = self.stem(inputs.transpose(3, 1, 2, 0))
        for block in self.blocks:
            features = block(features)
        pooled = features.max(axis=(1, 2)).T.astype(jnp.float32)
        return self.classifier(self.dropout(pooled, rngs=rngs))


@jax.custom_vjp
def max_pool(
    inputs: Float[Array, "features height width batch"],
) -> Float[Array, "features height//2 width//2 batch"]:
    """2 x 2 max-pooling; a row or column left over is left out.

    The gradient goes to the largest of four, in equal parts where several are, by comparing them again; that of
    `nnx.max_pool` scatters, which CPUs do slowly.
    """
    return _fours(inputs).max(axis=(2, 4))


def _fours(inputs: Float[Array, "features height width batch"]) -> Float[Array, "features rows 2 columns 2 batch"]:
    features, height, width, batch = inputs.shape
    even = inputs[:, : height // 2 * 2, : width // 2 * 2]
    return even.reshape(features, height // 2, 2, width // 2, 2, batch)


def _max_pool_forward(inputs):
    largest = max_pool(inputs)
    return largest, (inputs, largest)


def _max_pool_backward(residuals, gradient):
    inputs, largest = residuals
    is_largest = _fours(inputs) == largest[:, :, None, :, None]
    share = gradient / is_largest.sum(axis=(2, 4))
    even = jnp.where(is_largest, share[:, :, None, :, None], 0).astype(inputs.dtype)
    even = even.reshape(len(inputs), 2 * largest.shape[1], 2 * largest.shape[2], -1)
    left_over = [(0, size - used) for size, used in zip(inputs.shape, even.shape, strict=True)]
    return (jnp.pad(even, left_over),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def whitening_filters(
    images: Float[np.ndarray, "n height width 3"], size: int, *, epsilon: float = 5e-4
) -> Float[np.ndarray, "size size 3 axes"]:
    """Filters whose responses to patches of these images are uncorrelated, with unit variance.

    With C = V diag(e) V' the covariance of the patches, the filters are the columns of V diag(e)^-1/2: principal
    component whitening (arXiv:2404.00498, section 3.2). `epsilon` is added to e, so that directions which hardly vary
    are not blown up.

    Args:
        images: normalised; some thousands suffice.
        size: side of a patch, in pixels.
        epsilon: added to each variance.
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = windows[:, ::size, ::size].transpose(0, 1, 2, 4, 5, 3).reshape(-1, size * size * 3)
    variances, axes = np.linalg.eigh(np.cov(patches, rowvar=False))
    filters = (axes / np.sqrt(np.maximum(variances, 0) + epsilon)).astype(np.float32)
    return filters[:, ::-1].reshape(size, size, 3, -1)
