"""The pictures on the device as bytes."""

from typing import NamedTuple

import torch
from jaxtyping import Int, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from dl_shared.data.image_sets import Split


class Batch(NamedTuple):
    """Pictures as bytes, with labels."""

    images: UInt8[Tensor, "batch height width 3"]
    labels: Int[Tensor, " batch"]
    draws: Int[Tensor, " batch"]
    """Numbers of the draws, which decide the augmentation."""


class Pictures(Dataset):
    """All pictures of a part of the data, on the device; a batch is gathered from them by its draws."""

    def __init__(self, split: Split, device: torch.device) -> None:
        self.images = torch.from_numpy(split.images).to(device)
        self.labels = torch.from_numpy(split.labels).to(device)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, draws: list[int]) -> Batch:
        numbers = torch.tensor(draws, device=self.labels.device)
        rows = numbers % len(self)
        return Batch(self.images[rows], self.labels[rows], numbers)
