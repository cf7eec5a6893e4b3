"""The images on the device as bytes, in an order and with an augmentation that are a function of (seed, epoch).

A `DataLoader` with workers would copy and collate image by image; these fit into memory, so a batch is one gather.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from dl_shared.data.image_sets import Split
from dl_shared.errors import InputError
from dl_shared.tasks import cifar10
from lightning_projects.cifar10.augment import cut_out, shift_and_mirror
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.model import normalize
from lightning_projects.exact import ResumableLoader, generator

Inputs = tuple[Float[Tensor, "batch 3 height width"], Int[Tensor, " batch"]]


class Batch(NamedTuple):
    """Images as bytes, with labels."""

    images: UInt8[Tensor, "batch height width 3"]
    labels: Int[Tensor, " batch"]


class TrainBatch(NamedTuple):
    """Images as bytes, with labels and with what is to be done to each."""

    images: UInt8[Tensor, "batch height width 3"]
    labels: Int[Tensor, " batch"]
    offsets: Int[Tensor, "batch 2"]
    """Rows and columns by which the image is shifted."""
    mirrored: Bool[Tensor, " batch"]
    holes: Int[Tensor, "batch 2"]
    """Row and column of the centre of the hole."""


class TrainLoader(ResumableLoader):
    """Batches of an epoch, on the device, in an order and with an augmentation drawn from (seed, epoch).

    Args:
        split: training images.
        config: `seed`, `batch_size`, `crop` and `flip` are read.
        device: where the images are to lie.
        rank: number of this process.
        world_size: of how many.
    """

    def __init__(
        self, split: Split, config: Config, device: torch.device, *, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__()
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self.config, self.rank, self.share = config, rank, config.batch_size // world_size

    def __len__(self) -> int:
        return len(self.labels) // self.config.batch_size

    def batches(self, epoch: int, first: int) -> Iterator[TrainBatch]:
        plan = self._plan(epoch)
        for batch in range(first, len(self)):
            own = batch * self.config.batch_size + self.rank * self.share
            rows, offsets, mirrored, holes = (part[own : own + self.share] for part in plan)
            yield TrainBatch(self.images[rows], self.labels[rows], offsets, mirrored, holes)

    def _plan(self, epoch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The epoch's order, and the offsets, mirrorings and holes in that order."""
        config, n = self.config, len(self.labels)
        height, width = self.images.shape[1:3]
        draw = generator(config.seed, epoch)
        order = torch.randperm(n, generator=draw)
        offsets = torch.randint(-config.crop, config.crop + 1, (n, 2), generator=draw)
        holes = torch.stack([torch.randint(side, (n,), generator=draw) for side in (height, width)], dim=1)
        # A coin for each image, turned over after every epoch (arXiv:2404.00498, section 3.6).
        coins = torch.randint(2, (n,), generator=generator(config.seed)).bool()
        mirrored = (coins[order] ^ bool(epoch % 2)) & config.flip
        device = self.images.device
        return order.to(device), offsets.to(device), mirrored.to(device), holes.to(device)


class EvaluationLoader:
    """All images, in order; each process takes its share of every batch."""

    def __init__(
        self, split: Split, batch_size: int, device: torch.device, *, rank: int = 0, world_size: int = 1
    ) -> None:
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)
        self.batches = math.ceil(len(split) / batch_size)
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        for images, labels in zip(
            self.images.tensor_split(self.batches), self.labels.tensor_split(self.batches), strict=True
        ):
            yield Batch(images[self.rank :: self.world_size], labels[self.rank :: self.world_size])


class CifarData(pl.LightningDataModule):
    """The training and validation parts of the shared task, as the Trainer wants them.

    Raises:
        InputError: if there are fewer training images than one batch, or more processes than can share one.
    """

    def __init__(self, config: Config, data: cifar10.Data) -> None:
        super().__init__()
        self.config, self.data = config, data
        self.steps_per_epoch = len(data.train) // config.batch_size
        if self.steps_per_epoch == 0:
            raise InputError(f"{len(data.train)} training images make no batch of {config.batch_size}")

    def train_dataloader(self) -> TrainLoader:  # type: ignore[override]
        place = self._place()
        if self.config.batch_size % place["world_size"]:
            raise InputError(
                f"batches of {self.config.batch_size} cannot be split over {place['world_size']} processes;"
                " change --batch-size"
            )
        return TrainLoader(self.data.train, self.config, **place)

    def val_dataloader(self) -> EvaluationLoader:  # type: ignore[override]
        return EvaluationLoader(self.data.validation, self.config.batch_size, **self._place())

    def on_after_batch_transfer(self, batch: Batch | TrainBatch, dataloader_idx: int) -> Inputs:
        """Bytes become the network's inputs; training images are augmented, all of the batch at once."""
        if isinstance(batch, Batch):
            return normalize(batch.images), batch.labels
        inputs = normalize(shift_and_mirror(batch.images, batch.offsets, batch.mirrored))
        if self.config.cutout:
            inputs = cut_out(inputs, batch.holes, self.config.cutout)
        return inputs, batch.labels

    def _place(self) -> dict[str, Any]:
        assert self.trainer is not None, "a loader is for a Trainer"
        trainer = self.trainer
        return {"device": trainer.strategy.root_device, "rank": trainer.global_rank, "world_size": trainer.world_size}
