"""No look-ahead, from the first feature to the trained weights; and a signal is told from luck."""

import pandas as pd
import pytest
from resuming import Training
from stocks_tools import OPTIONS, write_headlines, write_prices

from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import load_data
from dl_shared.runs import read_summary
from dl_shared.testing.checkpoints import weights_of
from dl_shared.testing.leaks import assert_blind, assert_tells_signal_from_luck, with_other_future


def with_other_news(path, day):
    """The same headlines to the end of a day, and others after it: each says what another one would have said."""
    news = pd.read_csv(path, parse_dates=["date"])
    later = news["date"] >= pd.Timestamp(day, tz="UTC") + pd.Timedelta(days=1)
    news.loc[later, "title"] = news.loc[later, "title"].sample(frac=1, random_state=0).to_numpy()
    other = path.with_name("other_news.csv")
    news.to_csv(other, index=False)
    return other


def load(options):
    return load_data(Config(**options))


@pytest.mark.leak
def test_another_future_changes_nothing_that_was_known_before_it(tmp_path):
    prices, news = write_prices(tmp_path / "prices", days=500), write_headlines(tmp_path / "news.csv", days=500)
    training = Training("accelerate-stocks", OPTIONS | {"data": str(prices), "headlines": str(news)})
    changes = {"data": with_other_future, "headlines": with_other_news}
    assert_blind(training, load, weights_of, tmp_path, changes)


@pytest.mark.leak
@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.35, 0.0])
def test_quick_finds_what_was_planted_and_nothing_in_a_random_walk(tmp_path, signal):
    quick = Training("accelerate-stocks", {"preset": "quick", "data": "sample", "sample_signal": signal})
    assert_tells_signal_from_luck(read_summary(quick.whole(tmp_path)), planted=signal > 0)
