"""No look-ahead, from the first feature to the trained weights; and a signal is told from luck."""

import pytest
from resuming import Training
from stocks_tools import OPTIONS, write_prices

from dl_shared.runs import read_summary
from dl_shared.testing.checkpoints import weights_of
from dl_shared.testing.leaks import assert_blind, assert_tells_signal_from_luck
from xla_projects.stocks.config import Config
from xla_projects.stocks.data import load_data


def load(options):
    return load_data(Config(**options))


@pytest.mark.leak
def test_another_future_changes_nothing_that_was_known_before_it(tmp_path):
    options = OPTIONS | {"data": str(write_prices(tmp_path / "prices", days=500))}
    assert_blind(Training("xla-stocks", options), load, weights_of, tmp_path)


@pytest.mark.leak
@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.35, 0.0])
def test_quick_finds_what_was_planted_and_nothing_in_a_random_walk(tmp_path, signal):
    quick = Training("xla-stocks", {"preset": "quick", "data": "sample", "sample_signal": signal})
    assert_tells_signal_from_luck(read_summary(quick.whole(tmp_path)), planted=signal > 0)
