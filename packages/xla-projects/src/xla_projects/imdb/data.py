"""Reviews as rows of tokens: in a few fixed shapes, and in an order that is a function of (seed, epoch)."""

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
    """The reviews of a run, cleaned; of its own training reviews as many as the options say.

    Args:
        config: of the run.
        source: other data, of which all reviews are taken (default: the run's own).

    Raises:
        InputError: if the source cannot be used.
    """
    data = imdb.load(source or config.data, seed=config.seed, clean=config.clean)
    return imdb.keep_some(data, config.train_reviews, config.seed) if source is None else data


class Batch(NamedTuple):
    """The inputs of a step, on the host; the first four are the fields of `packing.Packed`."""

    input_ids: Int[np.ndarray, "rows length"]
    segments: Int[np.ndarray, "rows length"]
    positions: Int[np.ndarray, "rows length"]
    starts: Int[np.ndarray, "rows places"]
    labels: Int[np.ndarray, "rows places"]
    weights: Float[np.ndarray, "rows places"]
    """1 where there is a review, 0 where the place is free."""


@dataclass(frozen=True)
class Shapes:
    """Shapes of the rows: of one length with several reviews each, or of a few lengths with one review each."""

    row_lengths: tuple[int, ...]
    places: int
    """The most reviews that a row holds."""
    packed: bool

    @classmethod
    def choose(cls, lengths: Int[np.ndarray, " reviews"], config: Config, *, longest: int | None = None) -> "Shapes":
        """Shapes with little padding.

        Args:
            lengths: of the reviews, in tokens, that padding is counted for.
            config: of the run.
            longest: length of the longest of other reviews that go into the same rows.
        """
        if config.batches == "packed":
            row_length = config.row_length or config.max_length
            return cls((row_length,), packing.usual_places(lengths, row_length), True)
        *shorter, last = packing.cheapest_lengths(lengths, FIXED_LENGTHS)
        return cls((*shorter, max(last, longest or 0)), 1, False)

    def plans(self, lengths: Int[np.ndarray, " reviews"]) -> list[Plan]:
        """How the rows of each length are filled; a length that no review needs is left out."""
        if self.packed:
            return [packing.best_fit(lengths, self.row_lengths[0], self.places)]
        return [plan for plan in packing.one_each(lengths, self.row_lengths) if plan.rows]


class Batches:
    """The steps of one part of the data; all steps with rows of one length have the same number of rows.

    Args:
        tokens: of all reviews, special ones included.
        labels: of all reviews.
        shapes: of the rows.
        pad_id: the token that pads.
        seed: of the order.
        reviews: of a step, on average (default: as many as `EVALUATION_TOKENS` hold).
        devices: that share a step; empty rows are added until they can share it equally.
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
        """The rows of a step, and the number of the review in each place, `NOBODY` if there is none."""
        row_length, table = self.tables(epoch)[step]
        table = packing.filled_up(table, self._filled(row_length))
        packed = packing.lay_out(self.tokens, table, row_length, self.pad_id)
        taken = table != NOBODY
        labels = np.zeros(table.shape, np.int64)
        labels[taken] = self.labels[table[taken]]
        return Batch(*packed, labels, taken.astype(np.float32)), table

    def _tables(self, epoch: int) -> list[tuple[int, Table]]:
        """For each step of an epoch, in order: the length of its rows, and the reviews in them."""
        rng = np.random.default_rng([self.seed, epoch])
        steps: list[tuple[int, Table]] = []
        for plan in self.plans:
            table, rows = packing.draw(plan, self.tokens.lengths, rng), self.rows[plan.row_length]
            steps += [(plan.row_length, table[first : first + rows]) for first in range(0, plan.rows, rows)]
        return [steps[number] for number in rng.permutation(len(steps))]

    def _filled(self, row_length: int) -> int:
        return math.ceil(self.rows[row_length] / self.devices) * self.devices
