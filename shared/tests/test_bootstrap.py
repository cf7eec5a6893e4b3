"""Intervals against exact and known ones."""

import numpy as np
import pytest
from scipy import stats

from dl_shared.metrics.bootstrap import bootstrap_ci, bootstrap_counts_ci, bootstrap_replicates, percentile_interval


def test_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(1).normal(3.0, 2.0, size=4000)
    low, high = bootstrap_ci(np.mean, values)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(values.mean() - half, abs=0.006)
    assert high == pytest.approx(values.mean() + half, abs=0.006)


def test_level_seed_and_replicates_are_obeyed():
    values = np.random.default_rng(2).exponential(size=300)
    wide, narrow = bootstrap_ci(np.median, values, level=0.99), bootstrap_ci(np.median, values, level=0.5)
    assert wide[0] < narrow[0] < np.median(values) < narrow[1] < wide[1]
    assert bootstrap_ci(np.median, values, seed=3) == bootstrap_ci(np.median, values, seed=3)
    assert bootstrap_ci(np.median, values, seed=3) != bootstrap_ci(np.median, values, seed=4)
    assert bootstrap_replicates(np.mean, values, replicates=7).shape == (7,)


def test_rows_of_several_arrays_stay_together():
    labels = np.arange(50)
    seen = []

    def statistic(rows, doubled):
        seen.append(np.array_equal(rows * 2, doubled))
        return len(np.unique(rows))

    low, high = bootstrap_ci(statistic, labels, labels * 2, replicates=200)
    assert all(seen)
    assert 25 < low <= high < 40  # 50 draws with replacement meet 1 - 1/e of the rows


def test_counts_give_the_interval_of_the_rows_they_count():
    correct = np.random.default_rng(5).random(2000) < 0.9
    counts = np.array([(~correct).sum(), correct.sum()])
    by_rows = bootstrap_ci(np.mean, correct, replicates=4000)
    by_counts = bootstrap_counts_ci(lambda table: table[1] / table.sum(), counts, replicates=4000)
    exact = stats.binom.ppf([0.025, 0.975], counts.sum(), correct.mean()) / counts.sum()
    assert by_rows == pytest.approx(exact, abs=0.0015)
    assert by_counts == pytest.approx(exact, abs=0.0015)


def test_replicates_without_a_value_are_left_out():
    low, high = percentile_interval(np.array([[1.0, np.nan], [np.nan, np.nan], [2.0, np.nan]]), level=1.0)
    np.testing.assert_array_equal(low, [1.0, np.nan])
    np.testing.assert_array_equal(high, [2.0, np.nan])


@pytest.mark.parametrize("arrays", [(np.ones(3), np.ones(4)), (np.ones(0),), ()])
def test_refuses_what_has_no_rows(arrays):
    with pytest.raises(ValueError, match="one length above 0"):
        bootstrap_ci(np.mean, *arrays)
