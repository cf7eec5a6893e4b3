"""No look-ahead, from the first feature to the trained weights; and a signal is told from luck."""

from dataclasses import asdict

import pytest
from resuming import Training, weights_of
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.runs import read_summary
from dl_shared.testing.leaks import assert_blind, assert_tells_signal_from_luck, middle_of_test, with_other_future
from xla_projects.stocks.config import PRESETS, Config
from xla_projects.stocks.data import load_data
from xla_projects.stocks.train import train


def load(options):
    return load_data(Config(**options))


@pytest.mark.leak
def test_another_future_changes_nothing_that_was_known_before_it(tmp_path):
    prices = write_prices(tmp_path / "prices", days=500)
    day = middle_of_test(load_data(small(prices)))
    other = with_other_future(prices, tmp_path / "other prices", day)
    futures = {"data": str(prices)}, {"data": str(other)}
    assert_blind(Training("xla-stocks", OPTIONS), futures, day, load, weights_of, tmp_path)


@pytest.mark.leak
@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.35, 0.0])
def test_quick_finds_what_was_planted_and_nothing_in_a_random_walk(tmp_path, signal):
    options = asdict(PRESETS["quick"]) | {"data": "sample", "sample_signal": signal}
    metrics = read_summary(train(Config(**options), runs_dir=tmp_path))["metrics"]
    assert_tells_signal_from_luck("xla-stocks", metrics, planted=bool(signal))
    assert metrics["test"]["coverage"] == pytest.approx(0.9, abs=0.02)
