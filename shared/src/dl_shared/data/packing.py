"""Texts side by side in rows of one fixed length: for compilers, which want few shapes and pay for padding.

Padding to a few fixed lengths still wastes an eighth of the positions of film reviews. So several texts share a row,
each with positions that begin anew and with attention to itself alone: Krell et al. 2021, "Efficient Sequence Packing
without Cross-contamination" (arXiv:2107.02027).

A `Plan` says how long the text in each place of each row is, and is made once, from the lengths. Which text of that
length goes there, and the order of the rows, is drawn anew for each epoch. So all epochs have as many rows, and a
schedule and a checkpoint can rely on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from dl_shared.data.tokens import Tokens

NOBODY = -1  # the text of a place that is free


@dataclass(frozen=True)
class Plan:
    """How rows are filled, for texts of certain lengths."""

    row_length: int
    """Positions of a row."""
    places: Int[np.ndarray, "rows places"]
    """The length of the text in each place, in tokens; 0 where the place is free."""
    texts: Int[np.ndarray, " texts"]
    """Numbers of the texts that the plan is for."""

    @property
    def rows(self) -> int:
        return len(self.places)

    @property
    def tokens(self) -> int:
        """In all rows together, without padding."""
        return int(self.places.sum())


class Packed(NamedTuple):
    """Rows ready for a network; numbers of places count from 0 in each row."""

    input_ids: Int[np.ndarray, "rows length"]
    segments: Int[np.ndarray, "rows length"]
    """To which place a position belongs, counted from 1; 0 is padding. Tokens see their own place alone."""
    positions: Int[np.ndarray, "rows length"]
    """Counted from 0 in each text; 0 in padding."""
    starts: Int[np.ndarray, "rows places"]
    """Where in its row each text begins; 0 where the place is free."""


def best_fit(lengths: Int[np.ndarray, " texts"], row_length: int, places: int) -> Plan:
    """Pack texts, the longest first, each into the row that it fills best.

    This is best fit decreasing (Johnson et al. 1974, "Worst-case performance bounds for simple one-dimensional packing
    algorithms"). How many rows it takes depends on the lengths alone, and not on their order.

    Args:
        lengths: in tokens, special ones included.
        row_length: of every row.
        places: texts that a row holds at most.

    Raises:
        ValueError: if a text is empty or longer than a row, or a row has no place.
    """
    _check(lengths, row_length)
    if places < 1:
        raise ValueError(f"places must be at least 1, got {places}")
    rows: list[list[int]] = []
    open_rows: list[list[int]] = [[] for _ in range(row_length + 1)]  # by the room that is left
    for length in np.sort(lengths)[::-1].tolist():
        room = next((room for room in range(length, row_length) if open_rows[room]), row_length)
        if room < row_length:
            row = open_rows[room].pop()
            rows[row].append(length)
        else:
            row = len(rows)
            rows.append([length])
        if len(rows[row]) < places:
            open_rows[room - length].append(row)
    table = np.zeros((len(rows), places), np.int64)
    for row, filled in enumerate(rows):
        table[row, : len(filled)] = filled
    return Plan(row_length, table, np.arange(len(lengths)))


def one_each(lengths: Int[np.ndarray, " texts"], row_lengths: Sequence[int]) -> list[Plan]:
    """A row for each text, of the smallest of some lengths that holds it: padding to a few fixed lengths.

    Args:
        lengths: in tokens.
        row_lengths: of rows, ascending; one that no text needs gets a plan without rows.

    Raises:
        ValueError: if a text is empty, or longer than the longest row.
    """
    _check(lengths, row_lengths[-1])
    which = np.searchsorted(row_lengths, lengths)
    chosen = [np.flatnonzero(which == index) for index in range(len(row_lengths))]
    return [
        Plan(row_length, lengths[texts, None], texts) for row_length, texts in zip(row_lengths, chosen, strict=True)
    ]


def cheapest_lengths(lengths: Int[np.ndarray, " texts"], count: int) -> list[int]:
    """The `count` row lengths, ascending, that pad these texts least where each has a row of its own.

    Exact, by dynamic programming: the least number of positions for all texts up to a length is a minimum over where
    the row length before it stands.
    """
    values, texts = np.unique(lengths, return_counts=True)
    below = np.concatenate([[0], np.cumsum(texts)])  # texts shorter than each value
    cost = np.full(len(values) + 1, np.inf)
    cost[0] = 0.0
    choices = []
    for _ in range(min(count, len(values))):
        # totals[i, j]: rows of length values[i] for the texts from the j-th value up to the i-th.
        totals = cost[None, :-1] + values[:, None] * (below[1:, None] - below[None, :-1])
        totals[np.triu_indices(len(values), k=1)] = np.inf
        choices.append(totals.argmin(axis=1))
        cost = np.concatenate([[np.inf], totals.min(axis=1)])
    chosen, last = [], len(values) - 1
    for choice in reversed(choices):
        chosen.append(int(values[last]))
        last = int(choice[last]) - 1
    return chosen[::-1]


def usual_places(lengths: Int[np.ndarray, " texts"], row_length: int) -> int:
    """Places in a row for twice as many texts as fill it on average: more would hardly ever be used."""
    return max(1, int(np.ceil(2 * row_length / lengths.mean())))


def draw(plan: Plan, lengths: Int[np.ndarray, " texts"], rng: np.random.Generator) -> Int[np.ndarray, "rows places"]:
    """Which text stands in each place, `NOBODY` where none does: every text of the plan once, rows in random order.

    Args:
        plan: made from these lengths.
        lengths: of all texts.
        rng: chooses among texts of one length, and the order.
    """
    texts = rng.permutation(plan.texts)
    texts = texts[np.argsort(-lengths[texts], kind="stable")]
    longest_first = np.argsort(-plan.places, axis=None, kind="stable")[: len(texts)]
    table = np.full(plan.places.size, NOBODY)
    table[longest_first] = texts
    return table.reshape(plan.places.shape)[rng.permutation(plan.rows)]


def filled_up(table: Int[np.ndarray, "rows places"], rows: int) -> Int[np.ndarray, "filled places"]:
    """The same table with empty rows appended, so that there are `rows`."""
    return np.pad(table, ((0, rows - len(table)), (0, 0)), constant_values=NOBODY)


def lay_out(tokens: Tokens, table: Int[np.ndarray, "rows places"], row_length: int, pad_id: int) -> Packed:
    """The token ids of texts, put into their places from left to right.

    Args:
        tokens: of all texts.
        table: which text stands in each place, `NOBODY` where none does.
        row_length: of the rows.
        pad_id: stands where there is no text.
    """
    taken = table != NOBODY
    lengths = np.zeros(table.shape, np.int64)
    lengths[taken] = tokens.lengths[table[taken]]
    starts = np.cumsum(lengths, axis=1) - lengths
    inside = np.arange(row_length) < lengths.sum(axis=1, keepdims=True)
    ids = np.full(inside.shape, pad_id, np.int64)
    segments, positions = np.zeros_like(ids), np.zeros_like(ids)
    texts, single = table[taken].tolist(), lengths[taken]
    if texts:
        ids[inside] = np.concatenate([tokens[text] for text in texts])
        segments[inside] = np.repeat(np.nonzero(taken)[1] + 1, single)
        positions[inside] = np.arange(single.sum()) - np.repeat(np.cumsum(single) - single, single)
    return Packed(ids, segments, positions, np.where(taken, starts, 0))


def _check(lengths: Int[np.ndarray, " texts"], row_length: int) -> None:
    if len(lengths) and not 1 <= lengths.min() <= lengths.max() <= row_length:
        raise ValueError(
            f"texts must have from 1 to {row_length} tokens, as a row has; got {lengths.min()} to {lengths.max()}"
        )
