"""Random integer sequences, all of them distinct; reversing them is a rule without noise, so every score can be 1."""

import numpy as np

from dl_shared.data.reversal import Sequences
from dl_shared.errors import InputError

OPTIMUM = dict.fromkeys(("exact_match", "accuracy", "precision", "recall", "f1"), 1.0)
"""The best score that any model can reach: the target is a function of the source."""


def make_sequences(count: int, *, symbols: int, min_length: int, max_length: int, seed: int) -> Sequences:
    """Draw distinct sequences over the integers 0 to `symbols - 1`.

    Lengths are shared out evenly; where there are too few distinct sequences of a length, all of them are taken and the
    longer ones make up for it. Within a length every distinct sequence is equally likely.

    Args:
        count: sequences to draw.
        symbols: size of the vocabulary.
        min_length: shortest sequence, at least 1.
        max_length: longest sequence.
        seed: the same arguments and seed give the same sequences in the same order.

    Raises:
        InputError: if there are fewer than `count` distinct sequences of these lengths.
    """
    rng = np.random.default_rng([seed, symbols, min_length, max_length])
    values = np.zeros((count, max_length), np.int64)
    lengths = np.zeros(count, np.int64)
    start = 0
    for length in range(min_length, max_length + 1):
        wanted = -(-(count - start) // (max_length - length + 1))
        drawn = _distinct(min(wanted, symbols**length), length, symbols, rng)
        end = start + len(drawn)
        values[start:end, :length], lengths[start:end] = drawn, length
        start = end
    if start < count:
        raise InputError(
            f"{symbols} symbols and lengths {min_length} to {max_length} allow {start:,} distinct sequences, "
            f"fewer than the {count:,} asked for; take more symbols or longer sequences"
        )
    order = rng.permutation(count)
    return Sequences(values[order], lengths[order])


def _distinct(count: int, length: int, symbols: int, rng: np.random.Generator) -> np.ndarray:
    """`count` distinct rows of `length` symbols."""
    space = symbols**length
    if space <= 4 * count:  # so few that drawing at random would keep meeting the same ones
        codes = rng.permutation(space)[:count]
        return codes[:, None] // symbols ** np.arange(length) % symbols
    rows = np.empty((0, length), np.int64)
    while len(rows) < count:
        more = rng.integers(0, symbols, (count + count // 2, length))
        rows = np.concatenate((rows, more))
        rows = rows[np.sort(np.unique(rows, axis=0, return_index=True)[1])]  # keep first occurrences, as drawn
    return rows[:count]
