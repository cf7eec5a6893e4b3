"""Images on the device as bytes; a batch of them is gathered, shifted and mirrored at once."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from dl_architectures.cnn_compare.config import AUGMENTATIONS, Augmentation, Config
from dl_shared.data.image_sets import Split
from dl_shared.paths import user_path
from dl_shared.tasks import cifar10

NO_AUGMENTATION = Augmentation(crop=0, flip=False)


def load_data(config: Config, dataset: str, source: str | None = None) -> cifar10.Data:
    """A data set of the comparison, with its validation part.

    Args:
        config: of the comparison.
        dataset: of its data sets.
        source: another one than the config's.

    Raises:
        InputError: if it is not there, or cannot be used.
    """
    source = source or config.data
    if source not in ("sample", "hub"):
        below = user_path(source) / dataset
        source = str(below if below.is_dir() else source)
    return cifar10.load(source, seed=config.seed, dataset=dataset, validation_fraction=config.validation_fraction)


class TrainImages:
    """The training part on the device, each image with a margin of zeros, which shifts move into view.

    Args:
        split: the training part.
        device: where to put it.
        dataset: decides the augmentation.
        config: of the comparison; its `augment` and `batch_size` are read.
        seed: of the cell.
    """

    def __init__(self, split: Split, device: torch.device, dataset: str, config: Config, seed: int) -> None:
        self.augmentation = AUGMENTATIONS[dataset] if config.augment else NO_AUGMENTATION
        self.seed, self.batch_size, self.rows = seed, config.batch_size, len(split)
        self.height, self.width = split.images.shape[1:3]
        margin = self.augmentation.crop
        images = np.pad(split.images, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        self.images = torch.from_numpy(images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)

    def __len__(self) -> int:
        """Batches of an epoch; what does not fill one waits for another epoch."""
        return self.rows // self.batch_size

    def plan(self, epoch: int) -> tuple[Int[Tensor, " rows"], Int[Tensor, "rows 2"], Bool[Tensor, " rows"]]:
        """The order of an epoch, and shifts and mirrorings in that order: a function of (seed, epoch)."""
        drawn = np.random.SeedSequence((self.seed, epoch)).generate_state(1, np.uint64)[0]
        draw = torch.Generator().manual_seed(int(drawn >> 1))
        order = torch.randperm(self.rows, generator=draw)
        shifts = torch.randint(0, 2 * self.augmentation.crop + 1, (self.rows, 2), generator=draw)
        mirrored = torch.randint(2, (self.rows,), generator=draw).bool() & self.augmentation.flip
        device = self.labels.device
        return order.to(device), shifts.to(device), mirrored.to(device)

    def batch(
        self, rows: Int[Tensor, " batch"], shifts: Int[Tensor, "batch 2"], mirrored: Bool[Tensor, " batch"]
    ) -> tuple[UInt8[Tensor, "batch height width channels"], Int[Tensor, " batch"]]:
        """Images and labels."""
        down = shifts[:, :1] + torch.arange(self.height, device=rows.device)
        across = torch.arange(self.width, device=rows.device).expand(len(rows), -1)
        across = shifts[:, 1:] + torch.where(mirrored[:, None], self.width - 1 - across, across)
        return self.images[rows[:, None, None], down[:, :, None], across[:, None, :]], self.labels[rows]


class Normalisation:
    """Bytes to numbers with mean 0 and standard deviation 1 over the training images, channel by channel.

    Args:
        mean: of bytes, one for each channel.
        std: likewise.
        device: where batches are.
    """

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        self.mean, self.std = (torch.tensor(values, device=device)[:, None, None] for values in (mean, std))

    @staticmethod
    def measure(images: UInt8[np.ndarray, "n height width channels"]) -> tuple[list[float], list[float]]:
        """Mean and standard deviation of each channel."""
        means, stds = zip(*((images[..., k].mean(), images[..., k].std()) for k in range(images.shape[3])), strict=True)
        return [float(mean) for mean in means], [max(float(std), 1.0) for std in stds]

    def __call__(
        self, images: UInt8[Tensor, "batch height width channels"]
    ) -> Float[Tensor, "batch channels height width"]:
        inputs = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        return inputs.contiguous(memory_format=torch.channels_last)
