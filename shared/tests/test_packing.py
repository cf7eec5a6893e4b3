"""Texts side by side in rows: by hand, every text once, no more rows than need be, and little padding."""

import itertools

import numpy as np
import pytest

from dl_shared.data.packing import (
    NOBODY,
    best_fit,
    cheapest_lengths,
    draw,
    filled_up,
    lay_out,
    one_each,
    usual_places,
)
from dl_shared.data.tokens import Tokens


def reviews_lengths(count=4000):
    """About as film reviews are, cut to 512 tokens."""
    return np.random.default_rng(0).gamma(2.0, 140.0, count).astype(int).clip(10, 512)


def test_texts_are_packed_by_hand():
    plan = best_fit(np.array([3, 7, 5, 2, 2, 10]), 10, 3)
    assert plan.places.tolist() == [[10, 0, 0], [7, 3, 0], [5, 2, 2]]
    assert plan.tokens == 29
    assert best_fit(np.array([2, 2, 2, 2]), 10, 3).places.tolist() == [[2, 2, 2], [2, 0, 0]]


def test_a_row_by_hand():
    tokens = Tokens.of([[11, 12], [21, 22, 23], [31]])
    packed = lay_out(tokens, np.array([[1, 0, NOBODY], [NOBODY, 2, NOBODY], [NOBODY] * 3]), 6, pad_id=9)
    assert packed.input_ids.tolist() == [[21, 22, 23, 11, 12, 9], [31, 9, 9, 9, 9, 9], [9] * 6]
    assert packed.segments.tolist() == [[1, 1, 1, 2, 2, 0], [2, 0, 0, 0, 0, 0], [0] * 6]
    assert packed.positions.tolist() == [[0, 1, 2, 0, 1, 0], [0] * 6, [0] * 6]
    assert packed.starts.tolist() == [[0, 3, 0], [0, 0, 0], [0, 0, 0]]


def test_rows_that_hold_nothing_are_all_padding():
    table = filled_up(np.zeros((0, 2), int), 3)
    packed = lay_out(Tokens.of([]), table, 4, pad_id=1)
    assert packed.input_ids.tolist() == [[1] * 4] * 3
    assert not packed.segments.any()


def test_an_epoch_has_every_text_once_where_the_plan_wants_it_and_the_next_one_other_neighbours():
    lengths = reviews_lengths(500).clip(max=480) // 32 * 32 + 10
    plan = best_fit(lengths, 512, usual_places(lengths, 512))
    first, again, second = (draw(plan, lengths, np.random.default_rng([0, epoch])) for epoch in (0, 0, 1))
    assert np.array_equal(first, again)
    assert sorted(first[first != NOBODY].tolist()) == list(range(500))
    assert (np.where(first != NOBODY, lengths[first], 0).sum(axis=1) <= 512).all()
    pairs = [
        {tuple(sorted(pair)) for row in table for pair in itertools.combinations(row[row != NOBODY].tolist(), 2)}
        for table in (first, second)
    ]
    assert len(pairs[0] & pairs[1]) < 0.2 * len(pairs[0])


def test_the_number_of_rows_depends_on_the_lengths_alone_and_hardly_a_position_is_lost():
    lengths = reviews_lengths()
    plan = best_fit(lengths, 512, usual_places(lengths, 512))
    shuffled = best_fit(np.random.default_rng(1).permutation(lengths), 512, usual_places(lengths, 512))
    assert np.array_equal(plan.places, shuffled.places)
    assert 1 - plan.tokens / (plan.rows * 512) < 0.02


def test_few_fixed_lengths_by_hand_and_against_all_choices():
    lengths = np.array([1, 2, 2, 9, 10, 10])
    assert cheapest_lengths(lengths, 2) == [2, 10]
    assert cheapest_lengths(lengths, 99) == [1, 2, 9, 10]
    lengths = np.random.default_rng(0).integers(1, 15, 40)
    values = np.unique(lengths).tolist()

    def positions(chosen):
        return np.asarray(chosen)[np.searchsorted(chosen, lengths)].sum()

    others = itertools.combinations(values[:-1], 2)
    assert positions(cheapest_lengths(lengths, 3)) == min(positions([*pair, values[-1]]) for pair in others)


def test_a_row_for_each_text_of_the_smallest_length_that_holds_it():
    short, long, unused = one_each(np.array([5, 3, 8, 2]), [3, 8, 9])
    assert (short.texts.tolist(), short.places.tolist()) == ([1, 3], [[3], [2]])
    assert (long.texts.tolist(), long.places.tolist()) == ([0, 2], [[5], [8]])
    assert unused.rows == 0
    lengths = np.array([5, 3, 8, 2])
    assert sorted(draw(long, lengths, np.random.default_rng(0)).ravel().tolist()) == [0, 2]


@pytest.mark.parametrize("lengths", [[0, 3], [3, 11]])
def test_a_text_that_no_row_holds(lengths):
    with pytest.raises(ValueError, match="from 1 to 10 tokens"):
        best_fit(np.array(lengths), 10, 2)
