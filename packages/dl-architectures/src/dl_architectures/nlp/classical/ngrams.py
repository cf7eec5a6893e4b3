"""Texts as sets of hashed n-grams of words: no vocabulary to store, and no word that is unknown.

Weinberger et al. 2009, "Feature hashing for large scale multitask learning" (arXiv:0902.2206), without the sign:
n-grams that fall into one bucket share its weight.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt64

# Letters and digits with apostrophes inside, or a run of exclamation or question marks.
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]+")
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of a text, every occurrence of each."""

    buckets: Int[np.ndarray, " ngrams"]
    starts: Int[np.ndarray, " ngrams"]
    """Number of the first word of each."""
    lengths: Int[np.ndarray, " ngrams"]
    """In words."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text stand, in order: word i is `text[start:end]`."""
    return [match.span() for match in _WORD.finditer(text)]


def normalised_words(text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
    """The words in lower case, with one kind of apostrophe, and `!` for `!!!`."""
    words = [text[start:end].lower().replace("’", "'") for start, end in spans]
    return [word[0] if word[0] in "!?" else word for word in words]


def hashed_ngrams(words: Sequence[str], *, order: int, bits: int) -> Ngrams:
    """The buckets of all n-grams of up to `order` words.

    Args:
        words: of a text, normalised.
        order: words in the longest n-gram.
        bits: there are `2 ** bits` buckets.
    """
    hashes = np.fromiter((zlib.crc32(word.encode()) for word in words), np.uint64, count=len(words))
    buckets, starts, lengths = [], [], []
    state = np.zeros(len(words), np.uint64)
    for length in range(1, min(order, len(words)) + 1):
        count = len(words) - length + 1
        state = _mixed(state[:count] ^ hashes[length - 1 :])
        buckets.append((state >> np.uint64(64 - bits)).astype(np.int64))
        starts.append(np.arange(count))
        lengths.append(np.full(count, length))
    none = np.zeros(0, np.int64)
    return Ngrams(*(np.concatenate([none, *parts]) for parts in (buckets, starts, lengths)))


def shared_among_words(ngrams: Ngrams, values: Float[np.ndarray, " ngrams"], words: int) -> Float[np.ndarray, " words"]:
    """What each word gets when every n-gram shares its value equally among its words."""
    total, share = np.zeros(words), values / ngrams.lengths
    for place in range(int(ngrams.lengths.max(initial=0))):
        inside = ngrams.lengths > place
        np.add.at(total, ngrams.starts[inside] + place, share[inside])
    return total


def _mixed(state: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): a bit changed before changes half of those after."""
    state = state + _GOLDEN
    for shift, multiplier in zip((30, 27), _MULTIPLIERS, strict=True):
        state = (state ^ (state >> np.uint64(shift))) * multiplier
    return state ^ (state >> np.uint64(31))
