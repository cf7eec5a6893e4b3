"""The two networks: a whitening stem, blocks that halve the image, and a linear classifier.

The plan follows cifar10-airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498),
sections 3.1 to 3.3; the skip connection is that of He et al. 2015, "Deep Residual Learning", arXiv:1512.03385.
Departures: nothing in the stem is learned, and it may take a stride of 2 (for processors); batch normalisation learns
its scale; dropout before the classifier.
"""

from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from flax_projects.cifar10.config import Config


class Fixed(nnx.Variable):
    """An array that belongs to the model and is not learned."""


class WhiteningStem(nnx.Module):
    """Patches of pixels on their principal axes, each axis scaled to unit variance and taken with both signs.

    The filters are computed from training images (`whitening_filters`) and nothing here is learned, so that the
    backward pass ends at the first block.

    **Shape:** `(batch, height, width, 3)` to `(batch, height / stride, width / stride, features)`.
    """

    def __init__(self, filters: Float[np.ndarray, "rows columns 3 axes"], *, stride: int, dtype: Any) -> None:
        self.kernel = Fixed(jnp.concatenate([filters, -filters], axis=-1))
        self.stride = stride
        self.dtype = dtype

    @property
    def features(self) -> int:
        return self.kernel.shape[-1]

    def __call__(self, inputs: Float[Array, "batch height width 3"]) -> Float[Array, "batch rows columns features"]:
        patches = jax.lax.conv_general_dilated(
            inputs.astype(self.dtype),
            self.kernel[...].astype(self.dtype),
            (self.stride, self.stride),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        return nnx.gelu(patches)


class Convolution(nnx.Module):
    """3 x 3 convolution, 2 x 2 max-pooling where asked for, and batch normalisation."""

    def __init__(
        self, in_features: int, out_features: int, *, pool: bool, convolve: Any, dtype: Any, rngs: nnx.Rngs
    ) -> None:
        self.conv = nnx.Conv(
            in_features,
            out_features,
            (3, 3),
            use_bias=False,  # batch normalisation has one
            kernel_init=nnx.initializers.he_normal(),
            conv_general_dilated=convolve,
            dtype=dtype,
            rngs=rngs,
        )
        self.norm = nnx.BatchNorm(out_features, momentum=0.9, dtype=dtype, rngs=rngs)
        self.pool = pool

    def __call__(
        self, inputs: Float[Array, "batch height width in_features"]
    ) -> Float[Array, "batch rows columns out_features"]:
        outputs = self.conv(inputs)
        return self.norm(max_pool(outputs) if self.pool else outputs)


class PlainBlock(nnx.Module):
    """Two convolutions; the first halves height and width."""

    def __init__(self, in_features: int, out_features: int, **layer: Any) -> None:
        self.first = Convolution(in_features, out_features, pool=True, **layer)
        self.second = Convolution(out_features, out_features, pool=False, **layer)

    def __call__(
        self, inputs: Float[Array, "batch height width in_features"]
    ) -> Float[Array, "batch height/2 width/2 out_features"]:
        return nnx.gelu(self.second(nnx.gelu(self.first(inputs))))


class ResidualBlock(nnx.Module):
    """Three convolutions; the first halves height and width, the other two are bridged by a skip connection."""

    def __init__(self, in_features: int, out_features: int, **layer: Any) -> None:
        self.first = Convolution(in_features, out_features, pool=True, **layer)
        self.second = Convolution(out_features, out_features, pool=False, **layer)
        self.third = Convolution(out_features, out_features, pool=False, **layer)

    def __call__(
        self, inputs: Float[Array, "batch height width in_features"]
    ) -> Float[Array, "batch height/2 width/2 out_features"]:
        skipped = nnx.gelu(self.first(inputs))
        return nnx.gelu(skipped + self.third(nnx.gelu(self.second(skipped))))


BLOCKS = {"cnn": PlainBlock, "resnet": ResidualBlock}


class Network(nnx.Module):
    """Stem, one block for each width, the largest value of each feature, dropout, classifier.

    **Shape:** `(batch, 32, 32, 3)`, normalised, to logits `(batch, classes)` in float32.

    Args:
        config: `model`, `widths`, `stem_stride`, `dropout` and `precision` are read.
        filters: of the stem, see `whitening_filters`.
        classes: how many logits.
        convolve: computes the 3 x 3 convolutions, with the signature of `lax.conv_general_dilated`.
        rngs: stream `params`.
    """

    def __init__(
        self,
        config: Config,
        filters: Float[np.ndarray, "rows columns 3 axes"],
        *,
        classes: int = 10,
        convolve: Any = jax.lax.conv_general_dilated,
        rngs: nnx.Rngs,
    ) -> None:
        dtype = jnp.bfloat16 if config.precision == "bf16" else jnp.float32
        self.stem = WhiteningStem(filters, stride=config.stem_stride, dtype=dtype)
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
        features = self.stem(inputs)
        for block in self.blocks:
            features = block(features)
        pooled = features.max(axis=(1, 2)).astype(jnp.float32)
        return self.classifier(self.dropout(pooled, rngs=rngs))


def max_pool(inputs: Float[Array, "batch height width features"]) -> Float[Array, "batch height/2 width/2 features"]:
    """2 x 2 max-pooling, whose gradient is a few comparisons; that of `nnx.max_pool` scatters, which CPUs do slowly."""
    rows = jnp.maximum(inputs[:, ::2], inputs[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


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
