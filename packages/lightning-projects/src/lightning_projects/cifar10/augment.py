"""Crop, flip and cutout of a batch of bytes, on the device.

What is done to an image of an epoch is drawn beforehand (`data.py`) and applied here by functions that draw nothing.
"""

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor


def shift_and_mirror(
    images: UInt8[Tensor, "batch height width channels"],
    offsets: Int[Tensor, "batch 2"],
    mirrored: Bool[Tensor, " batch"],
) -> UInt8[Tensor, "batch height width channels"]:
    """Look at each image through a window that is moved; beyond the edges the image is reflected.

    One gather does both, without a padded copy.

    Args:
        images: pixels.
        offsets: rows down and columns to the right by which the window moves; below height and width.
        mirrored: which windows to mirror, after the move.
    """
    batch, height, width, _ = images.shape

    def reflected(length: int, offset: Int[Tensor, " batch"]) -> Int[Tensor, "batch length"]:
        index = (torch.arange(length, device=images.device) + offset[:, None]).abs()
        return length - 1 - (length - 1 - index).abs()

    rows, columns = reflected(height, offsets[:, 0]), reflected(width, offsets[:, 1])
    columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    return images[torch.arange(batch, device=images.device)[:, None, None], rows[:, :, None], columns[:, None, :]]


def cut_out(
    inputs: Float[Tensor, "batch channels height width"], centres: Int[Tensor, "batch 2"], side: int
) -> Float[Tensor, "batch channels height width"]:
    """Set a square to 0, the mean colour (DeVries and Taylor 2017, arXiv:1708.04552).

    Args:
        inputs: normalised images.
        centres: row and column; the square covers rows `centre - side // 2` to `centre - side // 2 + side - 1`, and
            likewise columns, as far as they lie inside the image.
        side: of the square, in pixels.
    """
    _, _, height, width = inputs.shape

    def covered(length: int, centre: Int[Tensor, " batch"]) -> Bool[Tensor, "batch length"]:
        offset = torch.arange(length, device=inputs.device) - (centre[:, None] - side // 2)
        return (offset >= 0) & (offset < side)

    rows, columns = covered(height, centres[:, 0]), covered(width, centres[:, 1])
    return inputs.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)
