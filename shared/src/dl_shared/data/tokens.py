"""Texts as token ids of different lengths: cut, padded, and put into batches of like lengths."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int

Truncation = Literal["head", "head-tail"]
HEAD_SHARE = 0.25  # of what is kept of a long text by `head-tail`
POOL = 32  # batches among which texts are sorted by length


@dataclass(frozen=True)
class Tokens:
    """Token ids of many texts, one behind the other; text i is `ids[offsets[i] : offsets[i + 1]]`."""

    ids: Int[np.ndarray, " tokens"]
    offsets: Int[np.ndarray, " texts_and_one"]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, text: int) -> Int[np.ndarray, " length"]:
        return self.ids[self.offsets[text] : self.offsets[text + 1]]

    @property
    def lengths(self) -> Int[np.ndarray, " texts"]:
        return np.diff(self.offsets)

    @classmethod
    def of(cls, texts: Sequence[Sequence[int] | np.ndarray]) -> "Tokens":
        """Join the ids of single texts."""
        offsets = np.concatenate([[0], np.cumsum([len(ids) for ids in texts])]).astype(np.int64)
        parts = [np.asarray(ids, np.int32) for ids in texts]
        return cls(np.concatenate(parts) if parts else np.zeros(0, np.int32), offsets)


def kept_positions(length: int, room: int, truncation: Truncation) -> Int[np.ndarray, " kept"]:
    """Which tokens of a text of `length` tokens stay where there is room for `room`.

    `head-tail` keeps a quarter from the beginning and the rest from the end, where reviews come to their verdict: after
    Sun et al. 2019, "How to Fine-Tune BERT for Text Classification?" (arXiv:1905.05583), section 5.3.1, who keep 128
    and 382 of 510.
    """
    if length <= room:
        return np.arange(length)
    head = room if truncation == "head" else int(room * HEAD_SHARE)
    return np.concatenate([np.arange(head), np.arange(length - (room - head), length)])


def truncate(
    tokens: Tokens,
    max_length: int,
    truncation: Truncation,
    *,
    before: Sequence[int] = (),
    after: Sequence[int] = (),
) -> Tokens:
    """Cut texts to `max_length` tokens, special ones included, and put the special ones around them.

    Args:
        tokens: without special tokens.
        max_length: of a text with its special tokens.
        truncation: what stays of a text that is longer.
        before: special tokens in front, such as [CLS].
        after: special tokens behind, such as [SEP].

    Raises:
        ValueError: if there is no room for any token.
    """
    room = max_length - len(before) - len(after)
    if room < 1:
        raise ValueError(f"{max_length} tokens leave no room beside {len(before) + len(after)} special ones")
    return Tokens.of(
        [
            np.concatenate([before, tokens[text][kept_positions(length, room, truncation)], after])
            for text, length in enumerate(tokens.lengths.tolist())
        ]
    )


def pad(
    tokens: Tokens, rows: Int[np.ndarray, " batch"], pad_id: int, length: int | None = None
) -> tuple[Int[np.ndarray, "batch length"], Bool[np.ndarray, "batch length"]]:
    """Ids of some texts, filled up behind to the longest of them (or to `length`), and a mask: True where text is."""
    lengths = tokens.lengths[rows]
    width = int(lengths.max()) if length is None else length
    mask = np.arange(width) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = np.concatenate([tokens[row] for row in rows.tolist()])
    return ids, mask


def length_batches(
    lengths: Int[np.ndarray, " texts"], batch_size: int, rng: np.random.Generator, *, pool: int = POOL
) -> list[Int[np.ndarray, " batch"]]:
    """Every text once, in batches whose texts are about equally long, in random order.

    Texts are shuffled and cut into pools of `pool` batches; a pool is sorted by length and cut into batches, and then
    the batches of all pools are shuffled. A larger pool pads less and mixes less. Only one batch may be smaller.
    """
    order = rng.permutation(len(lengths))
    batches: list[np.ndarray] = []
    for start in range(0, len(order), pool * batch_size):
        part = order[start : start + pool * batch_size]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[first : first + batch_size] for first in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def sorted_batches(lengths: Int[np.ndarray, " texts"], batch_size: int) -> Iterator[Int[np.ndarray, " batch"]]:
    """Every text once, longest first, for work whose order does not matter: the first batch needs most memory."""
    order = np.argsort(-lengths, kind="stable")
    for first in range(0, len(order), batch_size):
        yield order[first : first + batch_size]


def padding_share(lengths: Int[np.ndarray, " texts"], batches: Sequence[np.ndarray]) -> float:
    """Share of the positions that only fill up, in batches padded to their longest text."""
    filled = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    return 1 - sum(int(lengths[batch].sum()) for batch in batches) / filled
