"""Learning rates over a training, against values worked by hand."""

import pytest

from dl_shared.schedules import warmup_cosine, warmup_linear


def test_a_line_up_and_a_line_down():
    rates = [warmup_linear(step, 10, 0.4) for step in range(10)]
    assert rates == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1, 6 / 7, 5 / 7, 4 / 7, 3 / 7, 2 / 7, 1 / 7])


def test_a_line_up_and_a_cosine_down():
    rates = [warmup_cosine(step, 100, 0.1) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11)
    assert max(rates) == rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("schedule", [warmup_linear, warmup_cosine])
def test_without_warmup_the_first_rate_is_the_highest(schedule):
    rates = [schedule(step, 5, 0.0) for step in range(5)]
    assert rates[0] > 0.8
    assert rates == sorted(rates, reverse=True)
