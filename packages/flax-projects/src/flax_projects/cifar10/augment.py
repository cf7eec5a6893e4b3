"""Crop, flip and cutout of a batch of bytes, on the device, inside the compiled step.

`augment` draws positions from a key; the functions that it calls apply them, and draw nothing.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, UInt8

from dl_shared.tasks.cifar10_config import MEAN, STD

Bytes = UInt8[Array, "batch height width channels"]


def normalize(images: Bytes) -> Float[Array, "batch height width channels"]:
    """Pixels as numbers of mean 0 and standard deviation 1 over the training set, channel by channel."""
    return (images / jnp.float32(255) - jnp.array(MEAN)) / jnp.array(STD)


def augment(
    key: PRNGKeyArray, images: Bytes, mirrored: Bool[Array, " batch"], *, crop: int, cutout: int
) -> Float[Array, "batch height width channels"]:
    """A normalised batch, each image shifted, mirrored and with a hole of its own.

    Args:
        key: fixes shifts and holes.
        images: pixels as bytes.
        mirrored: which images to mirror.
        crop: largest shift in pixels; what a shift uncovers is filled by reflection.
        cutout: side of the hole in pixels, 0 for none.
    """
    crop_key, cutout_key = jax.random.split(key)
    batch, height, width, _ = images.shape
    if crop:
        images = shift(images, jax.random.randint(crop_key, (batch, 2), 0, 2 * crop + 1), crop)
    inputs = normalize(jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images))
    if cutout:
        centres = jax.random.randint(cutout_key, (batch, 2), 0, jnp.array([height, width]))
        inputs = cut_out(inputs, centres, cutout)
    return inputs


def shift(images: Bytes, corners: Int[Array, "batch 2"], reach: int) -> Bytes:
    """Cut a window of the images' own size out of the images, padded by reflection.

    Args:
        images: pixels.
        corners: row and column of the window's upper left corner, in 0 .. 2 * reach; `reach` shifts nothing.
        reach: pixels of padding at each edge.
    """
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")

    def window(image: UInt8[Array, "rows columns channels"], corner: Int[Array, " 2"]):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), images.shape[1:])

    return jax.vmap(window)(padded, corners)


def scale_down(
    inputs: Float[Array, "batch height width channels"], side: int
) -> Float[Array, "batch side side channels"]:
    """Images of `side` x `side` pixels, smoothed as they shrink."""
    return jax.image.resize(inputs, (len(inputs), side, side, inputs.shape[-1]), "linear", antialias=True)


def cut_out(
    inputs: Float[Array, "batch height width channels"], centres: Int[Array, "batch 2"], side: int
) -> Float[Array, "batch height width channels"]:
    """Set a square to 0, the mean colour (DeVries and Taylor 2017, arXiv:1708.04552).

    Args:
        inputs: normalised images.
        centres: row and column; the square covers rows `centre - side // 2` to `centre - side // 2 + side - 1`, and
            likewise columns, as far as they lie inside the image.
        side: of the square, in pixels.
    """
    _, height, width, _ = inputs.shape

    def covered(length: int, centre: Int[Array, " batch"]) -> Bool[Array, "batch length"]:
        offset = jnp.arange(length) - (centre[:, None] - side // 2)
        return (offset >= 0) & (offset < side)

    rows, columns = covered(height, centres[:, 0]), covered(width, centres[:, 1])
    hole = rows[:, :, None] & columns[:, None, :]
    return jnp.where(hole[..., None], 0, inputs)
