"""Windows gathered on the device, where histories lie once, in an order that is a function of (seed, epoch)."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from torch import Tensor

from dl_shared.data.windows import Windows, trainable_ends
from dl_shared.errors import InputError
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from lightning_projects.exact import ResumableLoader, generator
from lightning_projects.stocks.config import Config

VALIDATED_AT_ONCE = 512


class TrainBatch(NamedTuple):
    """Windows with a target for every day of them, see `Series`."""

    inputs: Float[Tensor, "batch days features"]
    targets: Float[Tensor, "batch days horizon"]


class Batch(NamedTuple):
    """Windows with the target of their last day."""

    inputs: Float[Tensor, "batch days features"]
    targets: Float[Tensor, "batch horizon"]


class Series:
    """The histories of all companies, one after another, on the device.

    Args:
        windows: of a part; targets are known on the days t of these windows, and on no other.
        targets: of these windows, as the network is to put them out.
        device: where they are to lie.
    """

    def __init__(self, windows: Windows, targets: Float[np.ndarray, "windows horizon"], device: torch.device) -> None:
        by_row = np.zeros((len(windows.series), windows.horizon), np.float32)
        by_row[windows.ends] = targets
        self.values = torch.from_numpy(windows.series).to(device)
        self.targets = torch.from_numpy(by_row).to(device)
        self.back = torch.arange(1 - windows.lookback, 1, device=device)

    def train_batch(self, ends: Int[Tensor, " batch"]) -> TrainBatch:
        """The windows that end in these rows; targets must be known on all their days, see `trainable_ends`."""
        rows = ends[:, None] + self.back
        return TrainBatch(self.values[rows], self.targets[rows])

    def batch(self, ends: Int[Tensor, " batch"]) -> Batch:
        return Batch(self.values[ends[:, None] + self.back], self.targets[ends])


class TrainLoader(ResumableLoader):
    """Batches of an epoch, on the device, in an order drawn from (seed, epoch).

    Args:
        series: of the training part.
        ends: the windows to choose from, one in `config.stride` for each epoch.
        config: `seed`, `batch_size` and `stride` are read.
        rank: number of this process.
        world_size: of how many.
    """

    def __init__(
        self, series: Series, ends: Int[np.ndarray, " windows"], config: Config, *, rank: int = 0, world_size: int = 1
    ) -> None:
        super().__init__()
        self.series, self.ends = series, torch.from_numpy(ends)
        self.config, self.rank, self.share = config, rank, config.batch_size // world_size

    def __len__(self) -> int:
        return len(self.ends) // (self.config.batch_size * self.config.stride)

    def batches(self, epoch: int, first: int) -> Iterator[TrainBatch]:
        order = torch.randperm(len(self.ends), generator=generator(self.config.seed, epoch))
        chosen = self.ends[order[: len(self) * self.config.batch_size]].to(self.series.values.device)
        for batch in range(first, len(self)):
            own = batch * self.config.batch_size + self.rank * self.share
            yield self.series.train_batch(chosen[own : own + self.share])


class EvaluationLoader:
    """All windows, in order; each process takes its share of every batch."""

    def __init__(
        self, series: Series, ends: Int[np.ndarray, " windows"], *, rank: int = 0, world_size: int = 1
    ) -> None:
        self.series, self.ends = series, torch.from_numpy(ends).to(series.values.device)
        self.batches = math.ceil(len(ends) / VALIDATED_AT_ONCE)
        self.rank, self.world_size = rank, world_size

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Batch]:
        for ends in self.ends.tensor_split(self.batches):
            yield self.series.batch(ends[self.rank :: self.world_size])


class StocksData(pl.LightningDataModule):
    """The training and validation parts of the shared task, as the Trainer wants them.

    Raises:
        InputError: if there are fewer training windows than one batch, or more processes than can share one.
    """

    def __init__(self, config: Config, data: stocks.Data) -> None:
        super().__init__()
        self.config, self.data = config, data
        self.outputs = Outputs.of(data, LEVELS, rate=config.adaptation)
        self.ends = trainable_ends(data.train)
        self.steps_per_epoch = len(self.ends) // (config.batch_size * config.stride)
        if self.steps_per_epoch == 0:
            raise InputError(
                f"one in {config.stride} of {len(self.ends)} training windows make no batch of {config.batch_size};"
                " use a smaller --batch-size, --stride or --lookback"
            )

    def train_dataloader(self) -> TrainLoader:  # type: ignore[override]
        device, place = self._place()
        if self.config.batch_size % place["world_size"]:
            raise InputError(
                f"batches of {self.config.batch_size} cannot be split over {place['world_size']} processes;"
                " change --batch-size"
            )
        return TrainLoader(self.series("train", device), self.ends, self.config, **place)

    def val_dataloader(self) -> EvaluationLoader:  # type: ignore[override]
        device, place = self._place()
        return EvaluationLoader(self.series("validation", device), self.data.validation.ends, **place)

    def series(self, part: str, device: torch.device) -> Series:
        """The histories with the targets of one part."""
        windows: Windows = getattr(self.data, part)
        return Series(windows, self.outputs.from_returns(windows.targets, self.data.volatility(part)), device)

    def _place(self) -> tuple[torch.device, dict[str, Any]]:
        assert self.trainer is not None, "a loader is for a Trainer"
        trainer = self.trainer
        return trainer.strategy.root_device, {"rank": trainer.global_rank, "world_size": trainer.world_size}
