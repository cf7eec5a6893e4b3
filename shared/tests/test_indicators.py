"""Indicators against numbers worked by hand, and exogenous series joined by what was known."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.data.exogenous import join_exogenous, read_exogenous
from dl_shared.data.indicators import (
    DEFAULT_FEATURES,
    FEATURES,
    abnormal_volume,
    bollinger,
    compute_features,
    ema,
    log_returns,
    macd,
    realized_volatility,
    rsi,
    sma,
)
from dl_shared.errors import InputError


def test_moving_averages():
    values = pd.Series([1.0, 2.0, 3.0, 7.0])
    np.testing.assert_allclose(sma(values, 2), [np.nan, 1.5, 2.5, 5.0])
    # span 3: weight 1/2. 1; 1 + (2-1)/2 = 1.5; 1.5 + 1.5/2 = 2.25; 2.25 + 4.75/2 = 4.625
    np.testing.assert_allclose(ema(values, 3), [np.nan, np.nan, 2.25, 4.625])


def test_rsi_uses_wilders_start_and_smoothing():
    close = pd.Series([10.0, 11.0, 10.5, 12.5, 12.0, 12.0])
    # changes +1, -0.5, +2, -0.5, 0; over 3 days: up 3/3 = 1, down 0.5/3 = 1/6 -> 100 * 6/7
    # then up 1 * 2/3, down (1/6 * 2 + 0.5) / 3 = 5/18 -> 100 * 12/17; then both times 2/3: unchanged
    np.testing.assert_allclose(rsi(close, 3), [np.nan, np.nan, np.nan, 600 / 7, 1200 / 17, 1200 / 17])


def test_rsi_at_its_ends():
    assert rsi(pd.Series(np.arange(1.0, 30.0))).iloc[-1] == 100
    assert rsi(pd.Series(np.arange(30.0, 1.0, -1))).iloc[-1] == 0
    assert rsi(pd.Series(np.full(30, 5.0))).iloc[-1] == 50
    assert rsi(pd.Series([1.0, 2.0]), 3).isna().all()


def test_macd_of_a_ramp_is_the_difference_of_the_lags():
    line = macd(pd.Series(np.arange(2000.0)), fast=3, slow=5, signal=3)
    # an ema of span n lags a ramp by (n - 1) / 2 days: 1 and 2
    assert line["macd"].iloc[-1] == pytest.approx(1.0)
    assert line["signal"].iloc[-1] == pytest.approx(1.0)
    assert line["histogram"].iloc[-1] == pytest.approx(0.0, abs=1e-9)


def test_bollinger_bands():
    bands = bollinger(pd.Series([1.0, 3.0, 5.0]), days=2)
    # mean 4, population deviation 1: bands 2 and 6, so a close of 5 stands at 0.75
    assert bands.iloc[-1].to_dict() == pytest.approx({"lower": 2, "middle": 4, "upper": 6, "percent_b": 0.75})
    assert bollinger(pd.Series([2.0, 2.0, 2.0]), days=2)["percent_b"].iloc[-1] == 0.5


def test_returns_and_volatility():
    close = pd.Series([1.0, np.exp(0.01), np.exp(-0.01), np.exp(0.0)])
    np.testing.assert_allclose(log_returns(close), [np.nan, 0.01, -0.02, 0.01])
    np.testing.assert_allclose(log_returns(close, 2)[2:], [-0.01, -0.01])
    assert realized_volatility(close, 2).iloc[2] == pytest.approx(np.sqrt(252 * (0.01**2 + 0.02**2) / 2))


def test_abnormal_volume_repeats_the_day_before_where_volume_is_unknown():
    volume = pd.Series([100.0, 0.0, 400.0])
    np.testing.assert_allclose(abnormal_volume(volume, 2), [np.nan, 0.0, np.log(2)], atol=1e-12)


def price_frame(days: int = 120, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, days)))
    opens = close * np.exp(rng.normal(0, 0.01, days))
    high, low = np.maximum(opens, close) * 1.01, np.minimum(opens, close) * 0.99
    index = pd.bdate_range("2010-01-04", periods=days, name="date")
    volume = rng.lognormal(12, 0.5, days)
    return pd.DataFrame({"open": opens, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def test_features_are_finite_after_their_warm_up_and_do_not_depend_on_the_price_level():
    frame = price_frame()
    features = compute_features(frame, list(FEATURES))
    assert list(features) == list(FEATURES)
    assert np.isfinite(features.iloc[60:].to_numpy()).all()
    rescaled = compute_features(frame.assign(**{name: frame[name] * 37 for name in ("open", "high", "low", "close")}))
    np.testing.assert_allclose(rescaled, features[list(DEFAULT_FEATURES)], atol=1e-7)
    with pytest.raises(InputError, match="unknown features alpha; choose from return"):
        compute_features(frame, ["return", "alpha"])
    with pytest.raises(InputError, match="none given"):
        compute_features(frame, [])


def test_the_calendar_goes_in_circles():
    features = compute_features(price_frame(), ["week_sine", "week_cosine", "year_sine", "year_cosine"])
    for name in ("week", "year"):
        np.testing.assert_allclose(features[f"{name}_sine"] ** 2 + features[f"{name}_cosine"] ** 2, 1)
    assert len(features[["week_sine", "week_cosine"]].round(6).drop_duplicates()) == 5


def test_exogenous_values_are_joined_by_what_was_known(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("Date,rate,cpi\n2020-01-03,1.5,\n2020-01-01,1.0,100\n2020-01-06,,101\n")
    exogenous = read_exogenous(path)
    assert exogenous["cpi"].tolist() == [100, 100, 101]
    days = pd.DatetimeIndex(["2019-12-31", "2020-01-01", "2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07"])
    joined = join_exogenous(days, exogenous)
    np.testing.assert_array_equal(joined["rate"], [np.nan, np.nan, 1.0, 1.0, 1.5, 1.5])
    np.testing.assert_array_equal(joined["cpi"], [np.nan, np.nan, 100, 100, 100, 101])
    same_day = join_exogenous(days, exogenous, lag_days=0)
    np.testing.assert_array_equal(same_day["rate"], [np.nan, 1.0, 1.0, 1.5, 1.5, 1.5])
    with pytest.raises(InputError, match="must not be negative"):
        join_exogenous(days, exogenous, lag_days=-1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("", "is empty; give a CSV"),
        ("day,rate\n2020-01-01,1\n", "needs a column Date"),
        ("Date\n2020-01-01\n", "needs a column Date, a column of numbers"),
        ("Date,rate\n2020-01-01,high\n", "line 2: rate 'high' is not a number"),
        ("Date,rate\nsoon,1\n", "line 2: 'soon' is not a date"),
    ],
)
def test_bad_exogenous_files_are_refused(tmp_path, text, message):
    path = tmp_path / "rates.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as error:
        read_exogenous(path)
    assert message in str(error.value)
