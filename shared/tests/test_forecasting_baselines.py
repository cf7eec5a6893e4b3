"""Classical forecasts against numbers worked by hand and statsmodels' own."""

import numpy as np
import pytest
from statsmodels.tsa.arima.model import ARIMA
from statsmodels.tsa.holtwinters import Holt

from dl_shared.baselines import forecasting
from dl_shared.baselines.forecasting import (
    arima,
    drift,
    exponential_smoothing,
    forecast_baselines,
    persistence,
    seasonal_naive,
)


def test_persistence_and_drift():
    close = np.exp([0.0, 0.1, 0.4, 0.2])
    np.testing.assert_array_equal(persistence(close, np.array([1, 2]), 2), np.zeros((2, 2)))
    np.testing.assert_allclose(drift(close, np.array([2, 3]), 2), [[0.2, 0.4], [0.2 / 3, 0.4 / 3]])


def test_seasonal_naive_repeats_the_last_week():
    close = np.exp(np.arange(12.0))
    week = seasonal_naive(close, np.array([9]), 7)[0]
    # t = 9: t+1 repeats day 5, ... t+5 repeats day 9, t+6 again day 5
    np.testing.assert_allclose(week, [-4, -3, -2, -1, 0, -4, -3])
    np.testing.assert_allclose(seasonal_naive(close, np.array([1]), 2)[0], [-1, -1])  # day 0 stands in


def test_seasonal_naive_is_exact_on_a_weekly_pattern():
    log_price = np.tile([0.0, 0.1, 0.3, -0.2, 0.2], 20)
    origins = np.arange(20, 80)
    expected = log_price[origins[:, None] + np.arange(1, 8)] - log_price[origins, None]
    np.testing.assert_allclose(seasonal_naive(np.exp(log_price), origins, 7), expected, atol=1e-12)


def autoregression(coefficient: float, days: int = 1500) -> np.ndarray:
    """Closes whose log returns are AR(1)."""
    rng = np.random.default_rng(0)
    returns = np.zeros(days)
    for day in range(1, days):
        returns[day] = coefficient * returns[day - 1] + 0.01 * rng.normal()
    return 50 * np.exp(np.cumsum(returns))


def test_exponential_smoothing_is_statsmodels_at_its_origin():
    close = autoregression(0.3)
    fit = Holt(np.log(close[-1000:]), damped_trend=True, initialization_method="estimated").fit(use_brute=False)
    ours = exponential_smoothing(close, np.array([len(close) - 1]), 4)[0]
    np.testing.assert_allclose(ours, fit.forecast(4) - np.log(close[-1]), atol=1e-9)


def test_arima_is_statsmodels_at_every_origin(monkeypatch):
    monkeypatch.setattr(forecasting, "ARMA_ORDERS", ((1, 1),))
    close = autoregression(0.4, days=700)
    origins = np.array([500, 501, 640])
    ours = arima(close, origins, 3)
    returns = np.diff(np.log(close))
    mean, scale = returns[:500].mean(), returns[:500].std()
    fit = ARIMA((returns[:500] - mean) / scale, order=(1, 0, 1), trend="n").fit(method="innovations_mle")
    for row, origin in zip(ours, origins, strict=True):
        ahead = fit.apply((returns[:origin] - mean) / scale).forecast(3)
        np.testing.assert_allclose(row, np.cumsum(mean + scale * ahead), atol=1e-9)


def test_arima_finds_an_autoregression_and_leaves_a_random_walk_alone():
    close = autoregression(0.5)
    origins = np.arange(1100, 1490)
    forecasts = arima(close, origins, 2)
    returns = np.diff(np.log(close))
    np.testing.assert_allclose(forecasts[:, 0], 0.5 * returns[origins - 1], atol=0.004)
    walk = autoregression(0.0)
    assert np.abs(arima(walk, origins, 2)).max() < 0.003


@pytest.mark.parametrize("days", [2, 30])
def test_short_and_still_histories_are_forecast_too(days):
    close = np.full(days + 60, 7.0)
    for name, method in forecasting.BASELINES.items():
        found = method(close, np.arange(days - 1, days + 50), 4)
        np.testing.assert_allclose(found, 0, atol=1e-6, err_msg=name)


def test_baselines_are_computed_once_per_history(monkeypatch):
    calls = []

    def counted(close, origins, horizon):
        calls.append(len(origins))
        return np.full((len(origins), horizon), close[0])

    monkeypatch.setattr(forecasting, "available", lambda: {"counted": counted})
    histories = {"A": (np.full(9, 2.0), np.array([5, 6])), "B": (np.full(9, 3.0), np.array([7]))}
    first = forecast_baselines(histories, 2)["counted"]
    np.testing.assert_array_equal(first, [[2, 2], [2, 2], [3, 3]])
    np.testing.assert_array_equal(forecast_baselines(histories, 2)["counted"], first)
    assert calls == [2, 1]
    forecast_baselines(histories, 3)
    assert calls == [2, 1, 2, 1]


def test_prophet_runs_where_it_is_installed():
    pytest.importorskip("prophet")
    close = autoregression(0.0, days=300)
    assert np.isfinite(forecasting.prophet(close, np.arange(200, 290), 3)).all()
