"""The sample's oracle is what the docstring says: the conditional median, so nothing beats it."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.data.prices import COLUMNS, clean
from dl_shared.data.windows import cumulative_log_returns
from dl_shared.sample import prices as sample_prices
from dl_shared.sample.prices import make_prices

HORIZON = 10


def errors(sample, scale: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Mean absolute error of the oracle's log returns, stretched and shifted, per day ahead."""
    found = []
    for ticker, frame in sample.prices.frames.items():
        close = frame["close"].to_numpy()
        ends = np.arange(50, len(close) - HORIZON)
        forecast = sample.oracle(ticker, HORIZON)[ends] * scale + shift
        found.append(np.abs(np.exp(forecast - cumulative_log_returns(close, ends, HORIZON)) - 1))
    return np.concatenate(found).mean(axis=0)


def test_the_same_seed_gives_the_same_prices_and_a_larger_sample_begins_with_the_smaller():
    small, large = make_prices(seed=3, tickers=2, days=300), make_prices(seed=3, tickers=4, days=500)
    assert make_prices(seed=3, tickers=2, days=300).prices.fingerprint == small.prices.fingerprint
    assert make_prices(seed=4, tickers=2, days=300).prices.fingerprint != small.prices.fingerprint
    for ticker in small.prices.tickers:
        pd.testing.assert_frame_equal(
            small.prices.frames[ticker], large.prices.frames[ticker].iloc[:300], check_freq=False
        )
        np.testing.assert_array_equal(small.states[ticker], large.states[ticker][:300])


def test_the_prices_need_no_repair():
    frame = make_prices(seed=0, tickers=1, days=400).prices.frames["S00"]
    cleaned, notes = clean(frame.reset_index(), where="sample")
    assert notes == []
    assert tuple(frame.columns) == COLUMNS
    pd.testing.assert_frame_equal(cleaned, frame, check_freq=False)


def test_returns_follow_the_equations():
    sample = make_prices(seed=0, tickers=1, days=400)
    frame, state = sample.prices.frames["S00"], sample.states["S00"]
    surprise = np.log(frame["close"] / frame["open"]).to_numpy()
    added = state[1:] - sample.decay * state[:-1]  # = signal * surprise * (lean + v): v, and so the volume, follows
    v = added / (sample_prices.SIGNAL * surprise[1:]) - sample_prices.LEAN
    level = np.log(frame["volume"].to_numpy()[1:]) - sample_prices.VOLUME_SPREAD * v
    assert np.ptp(level) < 1e-3  # the volume is rounded to whole shares
    news = np.log(frame["open"] / frame["close"].shift()).to_numpy()[1:] - state[:-1]
    assert abs(np.corrcoef(news, state[:-1])[0, 1]) < 0.15
    assert 0.3 < news.std() / surprise.std() < 0.7


def test_the_oracle_is_the_closed_form_of_its_recursion():
    sample = make_prices(seed=0, tickers=1, days=100)
    expected, state = np.zeros(100), sample.states["S00"].copy()
    for step in range(HORIZON):
        expected += state
        state *= sample.decay
        np.testing.assert_allclose(sample.oracle("S00", HORIZON)[:, step], expected)


def test_no_stretched_or_shifted_oracle_does_better():
    sample = make_prices(seed=0, tickers=40, days=2500)
    best = errors(sample)
    for scale, shift in ((0.8, 0.0), (1.2, 0.0), (1.0, 0.004), (1.0, -0.004)):
        assert (errors(sample, scale, shift) > best).all()


def test_the_planted_signal_leaves_a_wide_gap_and_a_random_walk_none():
    skill = 1 - errors(make_prices(seed=0)) / errors(make_prices(seed=0), scale=0.0)
    assert (skill[:5] > 0.1).all()
    walk = make_prices(seed=0, tickers=2, signal=0.0)
    assert not walk.oracle("S00", HORIZON).any()
    assert "random walk" in walk.prices.source


def test_the_remaining_error_is_symmetric_around_the_oracle():
    sample = make_prices(seed=5, tickers=60, days=2500)
    above = []
    for ticker, frame in sample.prices.frames.items():
        close = frame["close"].to_numpy()
        ends = np.arange(50, len(close) - HORIZON, HORIZON)  # windows apart, so that rows are independent
        above.append(cumulative_log_returns(close, ends, HORIZON) > sample.oracle(ticker, HORIZON)[ends])
    share = np.concatenate(above).mean(axis=0)
    assert share == pytest.approx(np.full(HORIZON, 0.5), abs=0.015)  # 14,640 rows: three deviations are 0.012
