"""Which rows make which batch: a function of seed and epoch, so that Accelerate can share batches and skip them."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler


class EpochSampler(Sampler[int]):
    """The rows of each epoch, in an order of its own; `set_epoch` of Accelerate's loaders calls the one here.

    Args:
        rows: of the dataset.
        batch_size: rows of an update; rows that do not fill one are left to other epochs.
        seed: of the run.
        passes: how often an epoch goes through all rows.
        stride: an epoch takes one in `stride` of them, drawn anew for each.
    """

    def __init__(self, rows: int, batch_size: int, *, seed: int, passes: int = 1, stride: int = 1) -> None:
        self.rows, self.batch_size, self.seed, self.passes, self.stride = rows, batch_size, seed, passes, stride
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return self.rows * self.passes // (self.batch_size * self.stride) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        yield from itertools.islice(itertools.chain.from_iterable(map(self._pass, range(self.passes))), len(self))

    def _pass(self, number: int) -> list[int]:
        return np.random.default_rng([self.seed, self.epoch, number]).permutation(self.rows).tolist()


class DrawSampler(EpochSampler):
    """Yields numbers of draws in place of rows: each occurs once in a whole run, and its row is `draw % rows`.

    Augmentation can then be a function of the draw, whichever process makes it.
    """

    def _pass(self, number: int) -> list[int]:
        first = (self.epoch * self.passes + number) * self.rows
        return [first + row for row in super()._pass(number)]


def epoch_loader(
    dataset: Dataset,
    batch_size: int,
    *,
    seed: int,
    accumulate: int = 1,
    passes: int = 1,
    stride: int = 1,
    sampler: type[EpochSampler] = EpochSampler,
) -> DataLoader:
    """A loader of shuffled batches, each in `accumulate` equal parts.

    There are no worker processes, because nothing is read or decoded: the rows lie in memory or on the device, and the
    dataset's `__getitems__` makes a whole batch of them at once.

    Args:
        dataset: with `__getitems__`.
        batch_size: rows of an update, of all processes and parts together.
        seed: of the run.
        accumulate: parts that a batch is cut into.
        passes: see `EpochSampler`.
        stride: see `EpochSampler`.
        sampler: `DrawSampler` gives draws to `__getitems__` in place of rows.
    """
    rows = sampler(len(dataset), batch_size, seed=seed, passes=passes, stride=stride)  # type: ignore[arg-type]
    parts = BatchSampler(rows, batch_size // accumulate, drop_last=True)
    return DataLoader(dataset, batch_sampler=parts, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch
