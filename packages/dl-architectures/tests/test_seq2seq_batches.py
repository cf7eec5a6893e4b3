"""Batches: what is in them, and their order."""

import math

import numpy as np
import pytest
from seq2seq_tools import batch_of

from dl_architectures.seq2seq.batches import (
    DECODING_POSITIONS,
    Vocabulary,
    by_length,
    draw_forced,
    epoch_batches,
    forcing_probability,
)
from dl_shared.data.reversal import Sequences
from dl_shared.errors import InputError


def test_a_batch_by_hand():
    batch = batch_of([[0, 1, 2], [3]])
    assert batch.source.tolist() == [[1, 3, 4, 5, 2], [1, 6, 2, 0, 0]]
    assert batch.source_lengths.tolist() == [5, 3]
    assert batch.inputs.tolist() == [[1, 5, 4, 3], [1, 6, 0, 0]]
    assert batch.labels.tolist() == [[5, 4, 3, 2], [6, 2, 0, 0]]
    assert batch.tokens == 6


def test_vocabulary_there_and_back():
    vocabulary = Vocabulary((-7, 0, 40))
    sequences = Sequences.from_rows([[40, -7], [0, 0, 40]])
    ids = vocabulary.encode(sequences)
    assert ids.tolist() == [[5, 3, 0], [4, 4, 5]]
    assert vocabulary.decode(ids).rows() == sequences.rows()
    assert vocabulary.decode(np.array([[3, 2, 5], [2, 4, 4]])).rows() == [[-7], []]  # an answer ends at `eos`


@pytest.mark.parametrize(
    ("rows", "message"),
    [([[0], [40, 41]], "sequence 2 holds 41, which .* knows -7, 0, 40"), ([[0], []], "sequence 2 is empty")],
)
def test_integers_never_seen_and_empty_sequences_are_refused(rows, message):
    with pytest.raises(InputError, match=message):
        Vocabulary((-7, 0, 40)).encode(Sequences.from_rows(rows))


def test_each_epoch_has_every_row_once_in_an_order_of_its_own():
    lengths = np.random.default_rng(0).integers(1, 21, 1000)
    epochs = [epoch_batches(lengths, 64, seed=1, epoch=epoch) for epoch in (0, 1, 0)]
    assert [len(rows) for rows in epochs[0]].count(64) == 15
    for batches in epochs:
        assert sorted(np.concatenate(batches)) == list(range(1000))
    assert all((a == b).all() for a, b in zip(epochs[0], epochs[2], strict=True))
    assert {frozenset(rows.tolist()) for rows in epochs[0]}.isdisjoint(frozenset(rows.tolist()) for rows in epochs[1])
    assert (np.concatenate(epochs[0]) != np.concatenate(epoch_batches(lengths, 64, seed=2, epoch=0))).any()


def test_batches_hold_neighbours_in_length_and_come_shuffled():
    lengths = np.random.default_rng(0).integers(1, 21, 2000)
    batches = epoch_batches(lengths, 50, seed=0, epoch=0)
    assert max(np.ptp(lengths[rows]) for rows in batches) <= 1
    shortest = [lengths[rows].min() for rows in batches]
    assert shortest != sorted(shortest)


def test_decoding_batches_cover_all_rows_within_the_budget():
    lengths = np.array([5, 100_000, 1, 30] + [10] * 5000)
    batches = list(by_length(lengths))
    assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
    assert batches[0].tolist() == [1]
    assert all(len(rows) == 1 or (lengths[rows].max() + 2) * len(rows) <= DECODING_POSITIONS for rows in batches)


def test_schedules_of_teacher_forcing():
    def at(schedule, step, floor=0.0):
        return forcing_probability(schedule, step=step, steps=1000, floor=floor)

    assert [at("constant", step) for step in (0, 999)] == [1, 1]
    assert [at("linear", step, 0.2) for step in (0, 500, 1000)] == pytest.approx([1, 0.6, 0.2])
    assert at("inverse_sigmoid", 0) > 0.98
    assert at("inverse_sigmoid", 500) == pytest.approx(0.5)
    assert at("inverse_sigmoid", 1000) < 0.1
    assert at("inverse_sigmoid", 1000, 0.3) == 0.3
    falling = [at("inverse_sigmoid", step) for step in range(0, 1000, 50)]
    assert falling == sorted(falling, reverse=True)
    assert math.isfinite(forcing_probability("inverse_sigmoid", step=10**9, steps=1, floor=0.0))


def test_forced_positions_are_a_function_of_seed_and_step():
    drawn = draw_forced((400, 50), 0.7, seed=1, step=2)
    assert abs(drawn.mean() - 0.7) < 0.02
    assert (drawn == draw_forced((400, 50), 0.7, seed=1, step=2)).all()
    assert (drawn != draw_forced((400, 50), 0.7, seed=1, step=3)).any()
    assert draw_forced((2, 2), 1.0, seed=1, step=2) is None
