"""From integer sequences to padded batches of ids, in an order that depends on seed and epoch alone."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dl_architectures.seq2seq.config import Schedule
from dl_architectures.seq2seq.model import BOS_ID, EOS_ID, PAD_ID, SPECIAL_IDS
from dl_shared.data.reversal import Sequences
from dl_shared.errors import InputError

DECODING_POSITIONS = 12_000  # source positions in a batch; fewer and more were both slower on a CPU


@dataclass(frozen=True)
class Batch:
    """Some examples, ready for the model; `source_lengths` stay on the CPU, as packing wants them."""

    source: Int[Tensor, "batch source"]
    source_lengths: Int[Tensor, " batch"]
    inputs: Int[Tensor, "batch target"]
    """`bos y_1 ... y_n`: what the decoder reads under teacher forcing."""
    labels: Int[Tensor, "batch target"]
    """`y_1 ... y_n eos`: what it should answer."""
    tokens: int
    """Real target positions."""


@dataclass(frozen=True)
class Vocabulary:
    """Integers <-> ids."""

    symbols: tuple[int, ...]
    """In ascending order; the first has id `SPECIAL_IDS`."""

    def encode(self, sequences: Sequences) -> Int[np.ndarray, "sequences positions"]:
        """Ids in place of integers, `PAD_ID` behind each end.

        Raises:
            InputError: if a sequence is empty or holds an integer that is not in the vocabulary.
        """
        if len(empty := np.flatnonzero(sequences.lengths == 0)):
            raise InputError(f"sequence {empty[0] + 1} is empty")
        known = np.array(self.symbols)
        real = np.arange(sequences.values.shape[1]) < sequences.lengths[:, None]
        found = np.minimum(np.searchsorted(known, sequences.values), len(known) - 1)
        if (strange := real & (known[found] != sequences.values)).any():
            row, column = np.argwhere(strange)[0]
            raise InputError(
                f"sequence {row + 1} holds {sequences.values[row, column]}, which the model was not trained on; "
                f"it knows {self._described()}"
            )
        return np.where(real, found + SPECIAL_IDS, PAD_ID)

    def decode(self, ids: Int[np.ndarray, "sequences positions"]) -> Sequences:
        """Integers up to the first special id of each row."""
        special = ids < SPECIAL_IDS
        lengths = np.where(special.any(axis=1), special.argmax(axis=1), ids.shape[1]).astype(np.int64)
        real = np.arange(ids.shape[1]) < lengths[:, None]
        return Sequences(np.where(real, np.array(self.symbols)[np.maximum(ids - SPECIAL_IDS, 0)], 0), lengths)

    def _described(self) -> str:
        shown = [str(symbol) for symbol in self.symbols]
        return ", ".join(shown if len(shown) <= 12 else [*shown[:5], "...", *shown[-2:]])


def make_batch(ids: Int[np.ndarray, "batch positions"], device: torch.device) -> Batch:
    """Sources `bos x_1 ... x_n eos` with their reversals as targets, padded no further than the longest needs.

    Args:
        ids: as `Vocabulary.encode` makes them.
        device: where the tensors go.
    """
    lengths = (ids != PAD_ID).sum(axis=1)
    width = int(lengths.max()) + 2
    positions = np.arange(width)
    source = np.full((len(ids), width), PAD_ID)
    source[:, 0] = BOS_ID
    source[:, 1:-1] = ids[:, : width - 2]
    source[np.arange(len(ids)), lengths + 1] = EOS_ID
    # Read back to front, from the last symbol to `bos`, a source is its own target but for that `bos`.
    back = np.maximum(lengths[:, None] - positions[:-1], 0)
    reversal = np.where(positions[:-1] < lengths[:, None], np.take_along_axis(source, back, axis=1), PAD_ID)
    labels = np.where(positions[:-1] == lengths[:, None], EOS_ID, reversal)
    inputs = np.concatenate((np.full((len(ids), 1), BOS_ID), reversal[:, :-1]), axis=1)
    return Batch(
        torch.from_numpy(source).to(device),
        torch.from_numpy(lengths + 2),
        torch.from_numpy(inputs).to(device),
        torch.from_numpy(labels).to(device),
        int(lengths.sum() + len(lengths)),
    )


def epoch_batches(
    lengths: Int[np.ndarray, " examples"], batch_size: int, *, seed: int, epoch: int
) -> list[Int[np.ndarray, " rows"]]:
    """The rows of each batch of one epoch: neighbours in length, shuffled within a length and batch by batch.

    Sorting by length leaves next to no padding; the shuffles make every epoch's batches different.
    """
    rng = np.random.default_rng([seed, epoch])
    order = np.lexsort((rng.random(len(lengths)), lengths))
    batches = np.split(order, range(batch_size, len(order), batch_size))
    return [batches[i] for i in rng.permutation(len(batches))]


def by_length(
    lengths: Int[np.ndarray, " examples"], positions: int = DECODING_POSITIONS
) -> Iterator[Int[np.ndarray, " rows"]]:
    """Rows in batches of neighbours in length, longest first, each of so many source positions at most."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + max(1, positions // int(lengths[order[start]] + 2))
        yield order[start:end]
        start = end


def forcing_probability(schedule: Schedule, *, step: int, steps: int, floor: float) -> float:
    """How likely the decoder is to be given the true symbol at `step` of `steps` (Bengio et al. 2015, section 2.4).

        linear            1 falling to the floor
        inverse_sigmoid   k / (k + exp(step / k)), with k such that it passes one half in the middle of the training

    Neither goes below `floor`.
    """
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return max(floor, 1 - (1 - floor) * step / steps)
    from scipy.special import lambertw

    # One half is reached at step k ln k; k ln k = m is solved by m / W(m).
    middle = max(steps / 2, math.e)
    k = middle / float(lambertw(middle).real)
    return max(floor, k / (k + math.exp(min(step / k, 700))))


def draw_forced(
    shape: Sequence[int], probability: float, *, seed: int, step: int
) -> Bool[np.ndarray, "batch target"] | None:
    """Where to force the true symbol, as a function of seed and step; None for everywhere."""
    if probability >= 1:
        return None
    return np.random.default_rng([seed, step, 1]).random(shape) < probability
