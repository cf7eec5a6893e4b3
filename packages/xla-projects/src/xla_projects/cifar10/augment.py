"""Crop, flip, erase and enlarge a batch of pictures inside the compiled step, by two matrix products.

Bilinear resizing is linear in rows and in columns: `outputs = R @ inputs @ C.T`, where each row of R and of C holds the
weights that one output pixel gives to the input pixels. Output pixel k has its centre at `start + step * k` of the
input: a crop changes start and step, and a flip begins at the other end and steps backwards.

So the augmentation of a picture is eight numbers. The host draws them (`draw_views`) as a function of the run's seed
and of the number of the draw. They are an input of the graph: no option of augmentation changes what is compiled.
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from dl_shared.data.draws import uniforms
from dl_shared.data.picture_backbones import Preparation
from xla_projects.cifar10.config import Config
from xla_projects.device import Device

Views = Float[np.ndarray, "batch 8"]
"""Row start, row step, column start and column step: where in the input the first output pixel has its centre, and how
far on the next ones are. Then top, bottom, left and right of the erased rectangle, in output pixels."""


def whole_pictures(count: int, side: int, size: int) -> Views:
    """Views without augmentation: whole pictures, enlarged from `side` to `size` pixels."""
    everything, nothing = np.ones(count, np.float32), np.zeros(count, np.float32)
    window = _window(everything, nothing, 1.0, side, size)
    return np.stack([*window, *window, *[nothing] * 4], axis=1)


def draw_views(config: Config, draws: Int[np.ndarray, " batch"], side: int, size: int) -> Views:
    """The view of each draw: cropped, flipped and erased at random.

    Args:
        config: `seed`, `augment`, `smallest_crop` and `erase` are read.
        draws: numbers of the draws, see `dl_shared.data.draws`.
        side: height and width of a picture.
        size: height and width of the network's inputs.
    """
    chance = uniforms(config.seed, draws, 9)
    smallest = config.smallest_crop if "crop" in config.augment else 1.0
    row, row_step = _window(chance[0], chance[1], smallest, side, size)
    column, column_step = _window(chance[2], chance[3], smallest, side, size)
    if "flip" in config.augment:
        mirrored = chance[4] < 0.5
        column = np.where(mirrored, column + (size - 1) * column_step, column)
        column_step = np.where(mirrored, -column_step, column_step)
    largest = config.erase if "erase" in config.augment else 0.0
    erased = [edge for k in (5, 7) for edge in _interval(chance[k], chance[k + 1], largest, size)]
    return np.stack([row, row_step, column, column_step, *erased], axis=1, dtype=np.float32)


def _window(extent: np.ndarray, place: np.ndarray, smallest: float, side: int, size: int) -> list[np.ndarray]:
    """Start and step of `size` pixels that fill a window of the `side` input pixels; pixel i has its centre at i.

    Args:
        extent: from 0, the smallest window, to 1, all pixels.
        place: from 0, the window at the beginning, to 1, at the end.
        smallest: length of the smallest window, as a share of `side`.
        side: input pixels.
        size: output pixels.
    """
    share = smallest + (1 - smallest) * extent
    step = share * side / size
    return [place * (1 - share) * side + step / 2 - 0.5, step]


def _interval(extent: np.ndarray, place: np.ndarray, largest: float, size: int) -> list[np.ndarray]:
    """Both edges of a random interval of `size` pixels that is no longer than the share `largest` of them."""
    length = extent * largest * size
    start = place * (size - length)
    return [start, start + length]


class Pipeline:
    """From bytes to the network's inputs, on the device.

    Args:
        preparation: size, mean and standard deviation that the network expects.
        side: height and width of the pictures.
        device: where they are.
    """

    def __init__(self, preparation: Preparation, side: int, device: Device) -> None:
        self.side, self.size = side, preparation.size
        self.mean, self.std = (
            device.put(255 * np.array(values, np.float32)[:, None, None])
            for values in (preparation.mean, preparation.std)
        )

    def inputs(
        self, images: UInt8[Tensor, "batch side side 3"], views: Float[Tensor, "batch 8"]
    ) -> Float[Tensor, "batch 3 size size"]:
        """Enlarged and normalised as the views say; what is erased has the mean colour."""
        row, row_step, column, column_step, top, bottom, left, right = views.unbind(1)
        pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        rows = _weights(row, row_step, self.side, self.size)
        columns = _weights(column, column_step, self.side, self.size)
        inputs = rows[:, None] @ pixels @ columns.mT[:, None]
        erased = _inside(top, bottom, self.size)[:, None, :, None] * _inside(left, right, self.size)[:, None, None, :]
        return inputs * (1 - erased)


def _weights(
    start: Float[Tensor, " batch"], step: Float[Tensor, " batch"], side: int, size: int
) -> Float[Tensor, "batch {size} {side}"]:
    """The weights that output pixels give to input pixels; rows sum to 1, and edges are continued outwards."""
    pixels = torch.arange(size, device=start.device, dtype=start.dtype)
    centres = (start[:, None] + step[:, None] * pixels).clamp(0, side - 1)
    distances = (centres[:, :, None] - torch.arange(side, device=start.device)).abs()
    return (1 - distances).clamp(min=0)


def _inside(first: Float[Tensor, " batch"], last: Float[Tensor, " batch"], size: int) -> Float[Tensor, "batch {size}"]:
    """1 for the pixels of an interval, 0 for the others."""
    middles = torch.arange(size, device=first.device, dtype=first.dtype) + 0.5
    return ((middles >= first[:, None]) & (middles < last[:, None])).to(first.dtype)
