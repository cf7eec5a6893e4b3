"""Which rows make which batch: a function of the seed and the epoch, for loaders that Accelerate cuts and skips."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler


class EpochSampler(Sampler[int]):
    """The rows of an epoch, in an order of its own. The `set_epoch` of Accelerate's loaders comes down to this one.

    Args:
        rows: how many there are.
        batch_size: rows of an update; those that do not fill one wait for another epoch.
        seed: of the run.
        passes: how often an epoch goes through all rows.
        stride: an epoch takes one in so many of them, others each time.
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
    """Likewise, but instead of rows the numbers of draws, each of which occurs once in a whole run; `draw % rows` is
    its row. What is random about an example can so be a function of its draw, whichever process it falls to."""

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
    """Batches of every epoch, each in `accumulate` equal parts.

    There are no worker processes, because nothing is read or decoded: the dataset's `__getitems__` makes a whole batch
    of rows that lie in memory, or on the device, at once.

    Args:
        dataset: with `__getitems__`.
        batch_size: rows of an update, of all processes and parts together.
        seed: of the run.
        accumulate: parts.
        passes: how often an epoch goes through all rows.
        stride: an epoch takes one in so many of them, others each time.
        sampler: whether `__getitems__` is given rows or draws.
    """
    rows = sampler(len(dataset), batch_size, seed=seed, passes=passes, stride=stride)  # type: ignore[arg-type]
    parts = BatchSampler(rows, batch_size // accumulate, drop_last=True)
    return DataLoader(dataset, batch_sampler=parts, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch
