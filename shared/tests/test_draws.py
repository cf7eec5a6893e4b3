"""The batches of a run, and the random numbers of each example in them."""

import numpy as np

from dl_shared.data.draws import Draws, uniforms


def test_an_epoch_takes_every_row_as_often_as_it_passes():
    draws = Draws(rows=30, batch_size=20, seed=0, passes=2)
    assert draws.steps_per_epoch == 3
    numbers = np.concatenate([draws.batch(0, step) for step in range(3)])
    assert sorted(numbers) == list(range(60))
    assert np.bincount(numbers % 30).tolist() == [2] * 30


def test_no_number_is_drawn_twice_in_a_run_and_orders_differ():
    draws = Draws(rows=30, batch_size=10, seed=0)
    epochs = [np.concatenate([draws.batch(epoch, step) for step in range(3)]) for epoch in range(3)]
    assert len(set(np.concatenate(epochs).tolist())) == 90
    assert (epochs[0] % 30).tolist() != (epochs[1] % 30).tolist()
    assert draws.batch(0, 1).tolist() == epochs[0][10:20].tolist(), "whatever was asked for in between"
    assert Draws(rows=30, batch_size=10, seed=1).batch(0, 0).tolist() != epochs[0][:10].tolist()


def test_rows_that_make_no_whole_batch_wait_for_another_epoch():
    assert Draws(rows=59, batch_size=20, seed=0).steps_per_epoch == 2
    assert Draws(rows=19, batch_size=20, seed=0).steps_per_epoch == 0


def test_the_random_numbers_are_spread_evenly():
    numbers = uniforms(3, np.arange(20000), 4)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    np.testing.assert_allclose(numbers.mean(1), 0.5, atol=0.01)
    np.testing.assert_allclose(numbers.var(1), 1 / 12, atol=0.003)
    correlations = np.corrcoef(np.concatenate([numbers[:, 1:], numbers[:, :-1]])) - np.eye(8)
    assert np.abs(correlations).max() < 0.03


def test_random_numbers_depend_on_seed_and_draw_alone():
    whole = uniforms(0, np.arange(10), 3)
    np.testing.assert_array_equal(uniforms(0, np.array([7]), 3), whole[:, 7:8])
    assert not np.allclose(uniforms(1, np.arange(10), 3), whole)
