"""The look-ahead proof: whatever happens after day t, nothing known on day t changes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dl_shared.baselines.forecasting import BASELINES
from dl_shared.data.exogenous import join_exogenous
from dl_shared.data.indicators import CALENDAR, FEATURES, bollinger, compute_features, macd, rsi
from dl_shared.data.lookahead import assert_causal, change_future
from dl_shared.data.scalers import Scaler
from dl_shared.data.splits import chronological
from dl_shared.sample.prices import make_prices
from dl_shared.tasks.stocks_data import naive_errors

pytestmark = pytest.mark.leak
DAYS = 320
moments = given(last_known=st.integers(100, DAYS - 2), seed=st.integers(0, 2**16))
few = settings(max_examples=8, deadline=None)


def history(days: int = DAYS) -> pd.DataFrame:
    frame = make_prices(seed=1, tickers=1, days=days).prices.frames["S00"]
    return frame.drop(columns="adj_close")


@few
@moments
@pytest.mark.parametrize("name", [name for name in FEATURES if name not in CALENDAR])
def test_no_feature_sees_the_future(name, last_known, seed):
    assert_causal(lambda frame: compute_features(frame, [name]), history(), last_known, seed=seed)


def test_the_calendar_does_not_depend_on_prices():
    before, after = (compute_features(frame, list(CALENDAR)) for frame in (history(), change_future(history(), 100)))
    assert before.equals(after)


@few
@moments
def test_no_indicator_and_no_denominator_sees_the_future(last_known, seed):
    for compute in (rsi, macd, bollinger, lambda close: naive_errors(close.to_numpy())):
        assert_causal(lambda frame, compute=compute: compute(frame["close"]), history(), last_known, seed=seed)


@few
@moments
def test_no_exogenous_value_is_joined_before_it_is_known(last_known, seed):
    last_known = min(last_known, DAYS - 3)  # what is dated the last day is known only after it
    assert_causal(lambda frame: join_exogenous(frame.index, frame[["volume"]]), history(), last_known, seed=seed)


@settings(max_examples=2, deadline=None)  # each fits models twice
@given(seed=st.integers(0, 2**16))
@pytest.mark.parametrize("name", [name for name in BASELINES if name != "persistence"])
def test_no_baseline_forecast_sees_the_future(name, seed):
    origins = np.arange(120, DAYS - 6)

    def forecasts(frame: pd.DataFrame) -> np.ndarray:
        rows = np.full((DAYS, 5), np.nan)
        rows[origins] = BASELINES[name](frame["close"].to_numpy(), origins, 5)
        return rows

    assert_causal(forecasts, history(), 200, seed=seed)


@few
@given(seed=st.integers(0, 2**16))
def test_the_scaler_sees_the_training_part_only(seed):
    cuts = chronological(history().index.to_numpy(), validation=0.2, test=0.2)

    def scaled(frame: pd.DataFrame) -> np.ndarray:
        rows = np.log(frame.to_numpy())
        train = cuts.rows(frame.index.to_numpy().astype("datetime64[D]"))["train"]
        return Scaler.fit(rows[train], limit=1e9).transform(rows)

    assert_causal(scaled, history(), int(DAYS * 0.6) - 1, seed=seed)


PEEKING = {
    "centred average": lambda frame: frame["close"].rolling(5, center=True).mean(),
    "scaled by everything": lambda frame: frame["close"] / frame["close"].max(),
    "filled backwards": lambda frame: frame["close"].where(np.arange(len(frame)) % 7 > 0).bfill(),
    "tomorrow's open": lambda frame: frame["open"].shift(-1),
}


@pytest.mark.parametrize("name", PEEKING)
def test_the_proof_finds_what_peeks(name):
    with pytest.raises(AssertionError, match="moved when days after row 210 changed"):
        assert_causal(PEEKING[name], history(), 210)  # a multiple of 7, so filled backwards from 211


def test_the_proof_refuses_to_prove_nothing():
    with pytest.raises(AssertionError, match="nothing moved at all"):
        assert_causal(lambda frame: np.zeros(len(frame)), history(), 200)
    with pytest.raises(AssertionError, match="a row for each of 320 days"):
        assert_causal(lambda frame: frame["close"][:10], history(), 200)


def test_the_changed_future_is_one_that_might_be():
    before = history()
    after = change_future(before, 200)
    pd.testing.assert_frame_equal(after.iloc[:201], before.iloc[:201])
    assert (after.iloc[201:] != before.iloc[201:]).all(axis=None)
    assert (after["low"] <= after[["open", "close"]].min(axis=1)).all()
    assert (after["high"] >= after[["open", "close"]].max(axis=1)).all()
