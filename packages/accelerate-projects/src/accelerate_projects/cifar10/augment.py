"""Crop, flip, erase and enlarge a batch of pictures on the device, by two matrix products.

Bilinear resizing is linear in rows and in columns: `outputs = R @ inputs @ C.T`, where each row of R and of C holds the
weights that one output pixel gives to the input pixels. A crop or a flip only changes these weights. So each picture of
a batch has an R and a C of its own, and two batched products augment and enlarge them all.

The random numbers of a picture are a function of the run's seed and of the number of the draw (`batches.py`): they are
the same after a resumption, and in one process or many.
"""

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dl_shared.data.draws import uniforms
from dl_shared.data.picture_backbones import Preparation
from dl_shared.tasks.cifar10_config import PicturesConfig


class Pipeline:
    """From bytes to the network's inputs.

    Args:
        preparation: size, mean and standard deviation that the network expects.
        config: `seed`, `augment`, `smallest_crop` and `erase` are read.
        device: where the pictures are.
    """

    def __init__(self, preparation: Preparation, config: PicturesConfig, device: torch.device) -> None:
        self.size, self.config = preparation.size, config
        self.mean, self.std = (
            255 * torch.tensor(values, device=device)[:, None, None] for values in (preparation.mean, preparation.std)
        )

    def plain(self, images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 size size"]:
        """Enlarged and normalised, without augmentation."""
        height, width = images.shape[1:3]
        rows, columns = (resize_weights(length, self.size).to(images.device) for length in (height, width))
        return self._enlarge(images, rows, columns)

    def augmented(
        self, images: UInt8[Tensor, "batch height width 3"], draws: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch 3 size size"]:
        """Enlarged and normalised, each cropped, flipped and erased at random by its draw."""
        config, (height, width) = self.config, images.shape[1:3]
        chance = torch.from_numpy(uniforms(config.seed, draws.cpu().numpy(), 9)).to(images.device)
        flipped = chance[0] < 0.5 if "flip" in config.augment else torch.zeros_like(chance[0]).bool()
        smallest = config.smallest_crop if "crop" in config.augment else 1.0
        rows = crop_weights(chance[1], chance[2], smallest, height, self.size)
        columns = crop_weights(chance[3], chance[4], smallest, width, self.size)
        columns = torch.where(flipped[:, None, None], columns.flip(1), columns)
        inputs = self._enlarge(images, rows, columns)
        if "erase" in config.augment:
            down, across = (interval_mask(chance[k], chance[k + 1], config.erase, self.size) for k in (5, 7))
            inputs = inputs * (1 - down[:, None, :, None] * across[:, None, None, :])
        return inputs

    def _enlarge(
        self,
        images: UInt8[Tensor, "batch height width 3"],
        rows: Float[Tensor, "#batch size height"],
        columns: Float[Tensor, "#batch size width"],
    ) -> Float[Tensor, "batch 3 size size"]:
        pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        inputs = rows[:, None] @ pixels @ columns.mT[:, None]
        return inputs.contiguous(memory_format=torch.channels_last)


def resize_weights(length: int, size: int) -> Float[Tensor, "1 size length"]:
    """The weights that make `size` pixels of all `length`; each row sums to 1."""
    return crop_weights(torch.ones(1), torch.zeros(1), 1.0, length, size)


def crop_weights(
    extent: Float[Tensor, " batch"], place: Float[Tensor, " batch"], smallest: float, length: int, size: int
) -> Float[Tensor, "batch size length"]:
    """The weights that make `size` pixels of a window of the `length` input pixels; each row sums to 1.

    Args:
        extent: from 0, the smallest window, to 1, all pixels.
        place: from 0, the window at the beginning, to 1, at the end.
        smallest: length of the smallest window, as a share of `length`.
        length: input pixels.
        size: output pixels.
    """
    share = smallest + (1 - smallest) * extent
    start = place * (1 - share) * length
    # Centres of output pixels, where input pixel i has its centre at i; the outermost pixels continue beyond the edges.
    steps = (torch.arange(size, device=extent.device) + 0.5) / size * length
    centres = (start[:, None] + share[:, None] * steps - 0.5).clamp(0, length - 1)
    distances = (centres[:, :, None] - torch.arange(length, device=extent.device)).abs()
    return (1 - distances).clamp(min=0)


def interval_mask(
    extent: Float[Tensor, " batch"], place: Float[Tensor, " batch"], largest: float, size: int
) -> Float[Tensor, "batch size"]:
    """1 for the pixels of an interval, 0 for the others.

    Args:
        extent: from 0, no pixel, to 1, the longest interval.
        place: from 0, at the beginning, to 1, at the end.
        largest: length of the longest interval, as a share of `size`.
        size: pixels.
    """
    length = extent * largest * size
    start = (place * (size - length))[:, None]
    pixels = torch.arange(size, device=extent.device) + 0.5
    return ((pixels >= start) & (pixels < start + length[:, None])).float()
