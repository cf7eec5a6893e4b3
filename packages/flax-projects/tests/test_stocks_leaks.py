"""No look-ahead, from the first feature to the trained weights; and a signal is told from luck."""

import pytest
from resuming import Training, weights_of
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.runs import read_summary
from dl_shared.tasks.stocks import load_data
from dl_shared.testing.leaks import (
    assert_blind,
    assert_tells_signal_from_luck,
    assert_unmoved,
    numbers,
    with_other_future,
)
from flax_projects.stocks.backtest import backtest
from flax_projects.stocks.config import Config
from flax_projects.stocks.options import BacktestOptions


def load(options):
    return load_data(Config(**options))


@pytest.mark.leak
def test_another_future_changes_nothing_that_was_known_before_it(tmp_path):
    options = OPTIONS | {"data": str(write_prices(tmp_path / "prices", days=500))}
    assert_blind(Training("flax-stocks", options), load, weights_of, tmp_path)


@pytest.mark.leak
@pytest.mark.slow
def test_another_future_changes_no_period_of_a_backtest_before_it(tmp_path):
    """Two periods of 40 days; the futures differ after the first of them has ended."""
    prices = write_prices(tmp_path / "prices", days=500)
    days = next(iter(load_data(small(prices)).histories.values())).dates
    periods = BacktestOptions(folds=2, test_days=40, validation_days=60, output=tmp_path / "backtest")
    futures = prices, with_other_future(prices, days[-40])
    (before, later), (before_other, later_other) = (
        [numbers(row) for row in backtest(small(folder), periods)[:2]] for folder in futures
    )
    assert_unmoved("flax-stocks", {"first period": before}, {"first period": before_other}, later=(later, later_other))


@pytest.mark.leak
@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.35, 0.0])
def test_quick_finds_what_was_planted_and_nothing_in_a_random_walk(tmp_path, signal):
    quick = Training("flax-stocks", {"preset": "quick", "data": "sample", "sample_signal": signal})
    assert_tells_signal_from_luck(read_summary(quick.whole(tmp_path)), planted=signal > 0)
