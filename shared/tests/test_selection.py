"""What the best of many is worth: nothing on noise, and most of what it shows where there is something."""

import numpy as np
import pytest

from dl_shared.metrics.selection import deflate, skill_interval

DAYS, TRIED = 400, 60


def losses(seed, *, skill=0.0):
    """Of many forecasts and of the benchmark; the errors of all are alike, day by day, and one is better by `skill`."""
    rng = np.random.default_rng(seed)
    benchmark = rng.gamma(4.0, 1.0, DAYS)
    tried = benchmark + rng.normal(0, 0.5, (TRIED, DAYS))
    tried[7] -= skill * benchmark
    return tried, benchmark


def test_nothing_is_found_on_noise_though_the_best_looks_good():
    found = [deflate(*losses(seed), block=10, replicates=500) for seed in range(20)]
    assert all(each.skill > 0 for each in found), "the best of sixty always looks good"
    assert abs(np.mean([each.deflated for each in found])) < 0.3 * np.mean([each.skill for each in found])
    assert np.mean([each.p_value < 0.05 for each in found]) <= 0.15
    assert np.mean([each.deflated_ci[0] <= 0 <= each.deflated_ci[1] for each in found]) >= 0.85


def test_what_is_there_is_found_and_keeps_its_size():
    found = deflate(*losses(0, skill=0.1), block=10)
    assert found.chosen == 7
    assert found.tried == TRIED
    assert found.p_value < 0.01
    assert found.deflated == pytest.approx(0.1, abs=0.02)
    assert found.deflated_ci[0] > 0


def test_of_one_forecast_that_was_not_chosen_the_interval_covers_what_it_should():
    found = []
    for seed in range(60):
        tried, benchmark = losses(seed)
        skill, (low, high) = skill_interval(tried[0], benchmark, block=5)
        assert low < skill < high
        found.append(low <= 0 <= high)
    assert np.mean(found) > 0.8


def test_the_more_are_tried_the_less_the_best_is_worth():
    tried, benchmark = losses(3)
    few, many = (deflate(tried[:n], benchmark, block=10) for n in (3, TRIED))
    assert many.skill - many.deflated > few.skill - few.deflated
    assert many.p_value >= few.p_value or many.skill > few.skill


def test_forecasts_clearly_worse_than_the_benchmark_do_not_count_against_the_best():
    tried, benchmark = losses(0, skill=0.06)
    hopeless = np.concatenate([tried, 3 * benchmark + np.random.default_rng(0).normal(0, 5, (200, DAYS))])
    assert deflate(hopeless, benchmark, block=10).p_value == pytest.approx(
        deflate(tried, benchmark, block=10).p_value, abs=0.02
    )


def test_days_too_few_and_losses_not_finite_are_refused():
    tried, benchmark = losses(0)
    with pytest.raises(ValueError, match="at least 300 days, got 200"):
        deflate(tried[:, :200], benchmark[:200], block=150)
    tried[0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        deflate(tried, benchmark, block=10)
