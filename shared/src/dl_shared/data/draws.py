"""Which examples make up which batch, and the random numbers of each, as functions of a seed and of counters.

So a resumed training goes on with exactly the same batches, in one process or in many.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int64


@dataclass(frozen=True)
class Draws:
    """The batches of a run. Every draw of an example has a number, unique in the run; `number % rows` is the row drawn.

    An epoch goes `passes` times through all rows, each time in another order. What is left at its end and fills no
    whole batch is left out.
    """

    rows: int
    batch_size: int
    seed: int
    passes: int = 1

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches of an epoch; 0 where there are fewer rows than one takes."""
        return self.rows * self.passes // self.batch_size

    def batch(self, epoch: int, step: int) -> Int64[np.ndarray, " batch"]:
        """The numbers of the draws in a batch.

        Args:
            epoch: from 0.
            step: batch of the epoch, from 0.
        """
        first = step * self.batch_size
        return _epoch_of(self, epoch)[first : first + self.batch_size]


@functools.lru_cache(maxsize=1)
def _epoch_of(draws: Draws, epoch: int) -> Int64[np.ndarray, " draws"]:
    return np.concatenate(
        [
            (epoch * draws.passes + number) * draws.rows
            + np.random.default_rng([draws.seed, epoch, number]).permutation(draws.rows)
            for number in range(draws.passes)
        ]
    )


def uniforms(seed: int, draws: Int[np.ndarray, " batch"], count: int) -> Float[np.ndarray, "count batch"]:
    """Numbers in [0, 1) that are a function of the seed and of the number of the draw, for all draws at once.

    The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"), applied
    to a counter.
    """
    base = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    counter = draws.astype(np.uint64) * np.uint64(count) + np.arange(count, dtype=np.uint64)[:, None]
    bits = base + (counter + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    return ((bits ^ (bits >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(2**24)
