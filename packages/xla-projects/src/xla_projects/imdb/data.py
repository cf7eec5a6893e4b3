"""Reviews as rows of tokens: a few fixed shapes, and an order that is a function of (seed, epoch)."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from dl_shared.data import packing
from dl_shared.data.packing import NOBODY, Plan
from dl_shared.data.tokens import Tokens
from dl_shared.tasks import imdb
from xla_projects.imdb.config import FIXED_LENGTHS, Config

EVALUATION_TOKENS = 8192  # of one step without gradients
Table = Int[np.ndarray, "rows places"]


def load_reviews(config: Config, source: str | None = None) -> imdb.Data:
    """The shared task's data as a run sees them: cleaned, and for training only so many.

    Args:
        config: of the run.
        source: other data, all of which is taken (default: the run's own).

    Raises:
        InputError: if the source cannot be used.
    """
    data = imdb.load(source or config.data, seed=config.seed, clean=config.clean)
    return imdb.keep_some(data, config.train_reviews, config.seed) if source is None else data


class Batch(NamedTuple):
    """What a step reads, on the host; the fields of `packing.Packed` first."""

    input_ids: Int[np.ndarray, "rows length"]
    segments: Int[np.ndarray, "rows length"]
    positions: Int[np.ndarray, "rows length"]
    starts: Int[np.ndarray, "rows places"]
    labels: Int[np.ndarray, "rows places"]
    weights: Float[np.ndarray, "rows places"]
    """1 where there is a review, 0 where the place is free."""


@dataclass(frozen=True)
class Shapes:
    """Rows that reviews are put into: of one length and side by side, or of a few lengths and one in each."""

    row_lengths: tuple[int, ...]
    places: int
    """Reviews that a row holds at most."""
    packed: bool

    @classmethod
    def choose(cls, lengths: Int[np.ndarray, " reviews"], config: Config, *, longest: int | None = None) -> "Shapes":
        """For reviews of these lengths, in tokens.

        Args:
            lengths: that padding is to be little for.
            config: of the run.
            longest: of other reviews that go into the same rows.
        """
        if config.batches == "packed":
            row_length = config.row_length or config.max_length
            return cls((row_length,), packing.usual_places(lengths, row_length), True)
        *shorter, last = packing.cheapest_lengths(lengths, FIXED_LENGTHS)
        return cls((*shorter, max(last, longest or 0)), 1, False)

    def plans(self, lengths: Int[np.ndarray, " reviews"]) -> list[Plan]:
        """How rows of each length are filled; a length that no review needs has no plan."""
        if self.packed:
            return [packing.best_fit(lengths, self.row_lengths[0], self.places)]
        return [plan for plan in packing.one_each(lengths, self.row_lengths) if plan.rows]


class Batches:
    """The steps of one part of the data, all of as many rows as their shape allows.

    Args:
        tokens: of all reviews, special ones included.
        labels: of all reviews.
        shapes: of the rows.
        pad_id: the token that pads.
        seed: of the order.
        reviews: of a step, on average (default: as many as fill a step without gradients).
        devices: that share a step; rows that hold nothing are added until they can.
    """

    def __init__(
        self,
        tokens: Tokens,
        labels: Int[np.ndarray, " reviews"],
        shapes: Shapes,
        *,
        pad_id: int,
        seed: int = 0,
        reviews: int | None = None,
        devices: int = 1,
    ) -> None:
        self.tokens, self.labels, self.pad_id, self.seed, self.devices = tokens, labels, pad_id, seed, devices
        self.plans = shapes.plans(tokens.lengths)
        self.rows = {
            plan.row_length: max(
                1,
                round(reviews * plan.rows / len(plan.texts)) if reviews else EVALUATION_TOKENS // plan.row_length,
            )
            for plan in self.plans
        }
        self.steps = sum(math.ceil(plan.rows / self.rows[plan.row_length]) for plan in self.plans)
        self.tables = lru_cache(maxsize=1)(self._tables)

    @property
    def padding(self) -> float:
        """Share of the positions of all steps that hold no token."""
        positions = sum(
            math.ceil(plan.rows / self.rows[plan.row_length]) * self._filled(plan.row_length) * plan.row_length
            for plan in self.plans
        )
        return 1 - sum(plan.tokens for plan in self.plans) / positions

    @property
    def reviews_per_step(self) -> float:
        return len(self.labels) / self.steps

    def batch(self, epoch: int, step: int) -> tuple[Batch, Table]:
        """The rows of a step, and which review stands in each place, `NOBODY` where none does."""
        row_length, table = self.tables(epoch)[step]
        table = packing.filled_up(table, self._filled(row_length))
        packed = packing.lay_out(self.tokens, table, row_length, self.pad_id)
        taken = table != NOBODY
        labels = np.zeros(table.shape, np.int64)
        labels[taken] = self.labels[table[taken]]
        return Batch(*packed, labels, taken.astype(np.float32)), table

    def _tables(self, epoch: int) -> list[tuple[int, Table]]:
        """For each step of an epoch, in its order: the length of its rows, and which reviews stand in them."""
        rng = np.random.default_rng([self.seed, epoch])
        steps: list[tuple[int, Table]] = []
        for plan in self.plans:
            table, rows = packing.draw(plan, self.tokens.lengths, rng), self.rows[plan.row_length]
            steps += [(plan.row_length, table[first : first + rows]) for first in range(0, plan.rows, rows)]
        return [steps[number] for number in rng.permutation(len(steps))]

    def _filled(self, row_length: int) -> int:
        return math.ceil(self.rows[row_length] / self.devices) * self.devices
