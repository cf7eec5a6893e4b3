"""Reviews in batches of like lengths, in an order that is a function of (seed, epoch).

What Lightning sees as one batch is all that one step of the optimizer needs: one part, or with `accumulate` several,
each with reviews of about one length. So there is no moment between two parts at which a checkpoint could be written
and gradients be lost, and each part knows how many reviews the whole step has.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dl_shared.data.encoding import encode
from dl_shared.data.reviews import Reviews
from dl_shared.data.tokens import Tokens, length_batches, pad, sorted_batches
from dl_shared.errors import InputError
from dl_shared.tasks import imdb
from lightning_projects.exact import ResumableLoader
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.model import Tokenizer
from lightning_projects.imdb.words import preprocess

EVALUATION_TOKENS = 8192  # of one batch without gradients


class Part(NamedTuple):
    """Reviews that go through the network together."""

    input_ids: Int[Tensor, "reviews length"]
    mask: Bool[Tensor, "reviews length"]
    """True where a review is, False where it is filled up."""
    labels: Int[Tensor, " reviews"]
    weights: Float[Tensor, " reviews"]
    """1; 0 for a review that fills in where this process has none of its own."""


class Step(NamedTuple):
    """This process's share of the reviews of one step of the optimizer."""

    parts: tuple[Part, ...]
    reviews: int
    """In all parts, of all processes."""


def load_reviews(config: Config, source: str | None = None) -> imdb.Data:
    """The shared task's data as a run sees them: cleaned, preprocessed, and for training only so many.

    Args:
        config: of the run.
        source: other data, all of which is taken (default: the run's own).

    Raises:
        InputError: if the source cannot be used.
    """
    data = imdb.load(source or config.data, seed=config.seed, clean=config.clean)
    if source is None:
        data = imdb.keep_some(data, config.train_reviews, config.seed)
    if config.preprocess == "none":
        return data
    train, validation, test = (
        dataclasses.replace(part, texts=preprocess(part.texts, config.preprocess))
        for part in (data.train, data.validation, data.test)
    )
    return dataclasses.replace(data, train=train, validation=validation, test=test)


class TokenizedReviews:
    """Token ids and labels of one part of the data, from which batches are taken."""

    def __init__(self, tokens: Tokens, reviews: Reviews, pad_id: int, *, rank: int, world_size: int) -> None:
        self.tokens, self.labels, self.pad_id = tokens, reviews.labels, pad_id
        self.rank, self.world_size = rank, world_size

    def part(self, rows: Int[np.ndarray, " all"], length: int | None = None) -> Part:
        """This process's share of some reviews; a process without any takes one of them, with weight 0."""
        own = rows[self.rank :: self.world_size]
        weight = float(len(own) > 0)
        own = own if len(own) else rows[:1]
        ids, mask = pad(self.tokens, own, self.pad_id, length)
        labels = torch.from_numpy(self.labels[own])
        return Part(torch.from_numpy(ids), torch.from_numpy(mask), labels, torch.full((len(own),), weight))


class TrainLoader(ResumableLoader):
    """The steps of an epoch, in an order drawn from (seed, epoch)."""

    def __init__(self, reviews: TokenizedReviews, config: Config) -> None:
        super().__init__()
        self.reviews, self.config = reviews, config
        self.size = config.batch_size // config.accumulate
        self.parts = math.ceil(len(reviews.labels) / self.size)

    def __len__(self) -> int:
        return math.ceil(self.parts / self.config.accumulate)

    def batches(self, epoch: int, first: int) -> Iterator[Step]:
        parts, size = self.plan(epoch), self.config.accumulate
        length = self.config.max_length if self.config.batches == "padded" else None
        for step in range(first, len(self)):
            rows = parts[step * size : (step + 1) * size]
            yield Step(tuple(self.reviews.part(part, length) for part in rows), sum(map(len, rows)))

    def plan(self, epoch: int) -> list[Int[np.ndarray, " part"]]:
        """Which reviews go through the network together, in the order of the epoch; each review is there once."""
        rng = np.random.default_rng([self.config.seed, epoch])
        lengths = self.reviews.tokens.lengths
        if self.config.batches == "length":
            return length_batches(lengths, self.size, rng)
        order = rng.permutation(len(lengths))
        return [order[first : first + self.size] for first in range(0, len(order), self.size)]


class EvaluationLoader:
    """All reviews, long ones first; each process takes its share of every batch."""

    def __init__(self, reviews: TokenizedReviews, batch_size: int) -> None:
        self.reviews = reviews
        self.batches = list(sorted_batches(reviews.tokens.lengths, batch_size))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Part]:
        return (self.reviews.part(rows) for rows in self.batches)


class ImdbData(pl.LightningDataModule):
    """The training and validation parts of the shared task, tokenised, as the Trainer wants them."""

    def __init__(self, config: Config, data: imdb.Data, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.config, self.data, self.tokenizer = config, data, tokenizer
        self.train_tokens, self.validation_tokens = (
            encode(tokenizer, part.texts, max_length=config.max_length, truncation=config.truncation, keep=True)
            for part in (data.train, data.validation)
        )
        parts = math.ceil(len(data.train) / (config.batch_size // config.accumulate))
        self.steps_per_epoch = math.ceil(parts / config.accumulate)

    def train_dataloader(self) -> TrainLoader:  # type: ignore[override]
        reviews = self._tokenized(self.train_tokens, self.data.train)
        if self.config.batch_size // self.config.accumulate < reviews.world_size:
            raise InputError(
                f"batches of {self.config.batch_size} in {self.config.accumulate} parts cannot be split over"
                f" {reviews.world_size} processes; change --batch-size"
            )
        return TrainLoader(reviews, self.config)

    def val_dataloader(self) -> EvaluationLoader:  # type: ignore[override]
        size = max(self.config.batch_size, EVALUATION_TOKENS // self.config.max_length)
        return EvaluationLoader(self._tokenized(self.validation_tokens, self.data.validation), size)

    def _tokenized(self, tokens: Tokens, reviews: Reviews) -> TokenizedReviews:
        assert self.trainer is not None, "a loader is for a Trainer"
        place = {"rank": self.trainer.global_rank, "world_size": self.trainer.world_size}
        return TokenizedReviews(tokens, reviews, int(self.tokenizer.pad_token_id), **place)  # type: ignore[arg-type]
