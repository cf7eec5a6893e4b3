"""Forecast scores against numbers worked by hand, other libraries, and what intervals promise."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.linear_model import LinearRegression

from dl_shared.metrics.forecasting import (
    block_weights,
    coverage,
    crps_ensemble,
    crps_quantiles,
    diebold_mariano,
    pinball_loss,
    score_forecasts,
    score_intervals,
    to_prices,
)
from dl_shared.metrics.regression import score_regression

DATES = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")


def test_scores_worked_by_hand():
    # prices 100 -> 110, 120 (forecast 105, 110) and 50 -> 45, 50 (forecast 50, 40)
    base = np.array([100.0, 50.0])
    targets = np.log(np.array([[1.1, 1.2], [0.9, 1.0]]))
    forecasts = np.log(np.array([[1.05, 1.1], [1.0, 0.8]]))
    scores = score_forecasts(forecasts, targets, base, scales=np.array([5.0, 2.0]), dates=DATES, replicates=50)
    # errors 5, 10 and 5, 10; those of persistence 10, 20 and 5, 0
    assert scores["mae"] == pytest.approx(30 / 4)
    assert scores["rmse"] == pytest.approx(np.sqrt(250 / 4))
    assert scores["mape"] == pytest.approx(100 * (5 / 110 + 10 / 120 + 5 / 45 + 10 / 50) / 4)
    assert scores["mase"] == pytest.approx((1 + 2 + 2.5 + 5) / 4)
    assert scores["skill"] == pytest.approx(1 - 30 / 35)
    # three moves: two forecast rightly, one not forecast at all; the fourth price did not move
    assert scores["directional_accuracy"] == pytest.approx(2.5 / 3)
    first = scores["horizons"]["1"]
    assert first["mae"] == pytest.approx(5)
    assert first["skill"] == pytest.approx(1 - 10 / 15)
    assert scores["horizons"]["2"]["directional_accuracy"] == 1
    assert all(scores[f"{name}_ci"][0] <= scores[name] <= scores[f"{name}_ci"][1] for name in ("mae", "rmse", "mape"))


def random_walk(days: int, tickers: int, horizon: int, seed: int):
    """Targets of a random walk with shared shocks, and the dates of their windows."""
    rng = np.random.default_rng(seed)
    returns = 0.01 * (rng.normal(size=(days + horizon, 1)) + rng.normal(size=(days + horizon, tickers)))
    path = np.cumsum(returns, axis=0)
    targets = np.stack([path[step : days + step] - path[:days] for step in range(1, horizon + 1)], axis=-1)
    dates = np.repeat(np.arange(days), tickers)
    return targets.reshape(days * tickers, horizon), dates


def test_persistence_has_no_skill_and_a_coin_is_right_half_the_time():
    targets, dates = random_walk(300, 3, 5, seed=0)
    base = np.full(len(dates), 20.0)
    scores = score_forecasts(np.zeros_like(targets), targets, base, scales=base, dates=dates, replicates=20)
    assert scores["skill"] == 0
    assert scores["skill_ci"] == [0, 0]
    assert scores["directional_accuracy"] == 0.5
    still = score_forecasts(0 * targets, 0 * targets, base, scales=base, dates=dates, replicates=20)
    assert "skill" not in still
    assert "directional_accuracy" not in still
    assert still["mae"] == 0


def test_the_interval_is_as_wide_as_overlap_and_shared_days_demand():
    """Over many histories of a random walk, nineteen in twenty intervals should hold the mean of all their scores."""
    horizon, found, widths = 5, [], []
    for seed in range(120):
        targets, dates = random_walk(250, 4, horizon, seed)
        noise = np.random.default_rng(seed + 1000).normal(size=(250, 1, 1)).repeat(4, axis=1).reshape(-1, 1)
        forecasts = np.broadcast_to(0.003 * noise, targets.shape).copy()
        base = np.full(len(dates), 20.0)
        scores = score_forecasts(forecasts, targets, base, scales=base, dates=dates, replicates=200)
        found.append((scores["mae"], *scores["mae_ci"]))
        widths.append(scores["mae_ci"][1] - scores["mae_ci"][0])
    mae, low, high = np.array(found).T
    inside = np.mean((low <= mae.mean()) & (mae.mean() <= high))
    assert 0.86 <= inside <= 0.99  # rows taken for independent would give about 0.3
    assert np.mean(widths) == pytest.approx(4 * mae.std(), rel=0.25)


def test_block_weights_draw_as_many_days_as_there_are_in_whole_blocks():
    weights = block_weights(10, block=4, replicates=500, seed=0)
    assert (weights.sum(axis=1) == 12).all()
    np.testing.assert_allclose(weights.mean(axis=0), 1.2, atol=0.2)
    assert block_weights(3, block=50, replicates=2, seed=0).tolist() == [[1, 1, 1]] * 2


def test_pinball_and_coverage():
    loss = pinball_loss(np.array([[1.0, 4.0]]), np.array([3.0]), (0.1, 0.9))
    np.testing.assert_allclose(loss, [[0.2, 0.1]])
    assert coverage(np.array([0.0, 0, 0]), np.array([1.0, 1, 1]), np.array([1.0, 0.5, 2])) == pytest.approx(2 / 3)


def test_crps_of_an_ensemble_is_the_double_sum():
    rng = np.random.default_rng(0)
    samples, actual = rng.normal(size=(5, 7)), rng.normal(size=5)
    pairs = np.abs(samples[:, :, None] - samples[:, None, :]).mean(axis=(1, 2))
    np.testing.assert_allclose(
        crps_ensemble(samples, actual), np.abs(samples - actual[:, None]).mean(axis=1) - pairs / 2
    )
    np.testing.assert_allclose(crps_ensemble(np.array([[2.0]]), np.array([5.0])), [3.0])  # one member: absolute error


def test_crps_of_a_normal_forecast_meets_its_closed_form():
    actual = np.array([-1.0, 0.0, 0.5, 2.0])
    # Gneiting and Raftery (2007), equation 5
    exact = actual * (2 * stats.norm.cdf(actual) - 1) + 2 * stats.norm.pdf(actual) - 1 / np.sqrt(np.pi)
    levels = tuple(np.arange(1, 400) / 400)
    quantiles = np.broadcast_to(stats.norm.ppf(levels), (4, 399)).copy()
    np.testing.assert_allclose(crps_quantiles(quantiles, actual, levels), exact, atol=2e-3)
    np.testing.assert_allclose(crps_ensemble(quantiles, actual), exact, atol=5e-3)


def test_interval_scores_of_the_true_quantiles():
    targets, dates = random_walk(400, 2, 3, seed=1)
    spread = 0.01 * np.sqrt(2 * np.arange(1, 4))
    levels = (0.05, 0.5, 0.95)
    quantiles = np.broadcast_to(spread[:, None] * stats.norm.ppf(levels), (800, 3, 3)).copy()
    base = np.full(800, 10.0)
    scores = score_intervals(quantiles, targets, base, levels, dates=dates)
    assert scores["nominal_coverage"] == 0.9
    assert scores["coverage_ci"][0] <= 0.9 <= scores["coverage_ci"][1]
    narrow = score_intervals(quantiles / 3, targets, base, levels, dates=dates)
    assert narrow["coverage"] < 0.6
    assert narrow["crps"] > scores["crps"]
    assert set(scores["horizons"]) == {"1", "2", "3"}
    with pytest.raises(ValueError, match="levels must ascend"):
        score_intervals(quantiles, targets, base, (0.5, 0.05, 0.95), dates=dates)


@pytest.mark.parametrize("horizon", [1, 4])
def test_diebold_mariano_is_the_regression_on_a_constant_with_its_correction(horizon):
    rng = np.random.default_rng(horizon)
    losses, others = rng.exponential(size=120), rng.exponential(1.3, size=120)
    difference = np.convolve(losses - others, np.ones(horizon), mode="same")
    statistic, p_value = diebold_mariano(difference, np.zeros(120), horizon=horizon)
    fit = sm.OLS(difference, np.ones(120)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "kernel": "uniform", "use_correction": False}
    )
    correction = np.sqrt((121 - 2 * horizon + horizon * (horizon - 1) / 120) / 120)
    assert statistic == pytest.approx(fit.tvalues[0] * correction)
    assert p_value == pytest.approx(2 * stats.t.sf(abs(statistic), 119))


def test_diebold_mariano_averages_the_tickers_of_a_day_and_knows_its_limits():
    losses, dates = np.array([1.0, 3.0, 2.0, 6.0, 0.0, 1.0]), np.array([0, 0, 1, 1, 2, 2])
    apart = diebold_mariano(losses, 0 * losses, horizon=1, dates=dates)
    assert apart == diebold_mariano(np.array([2.0, 4.0, 0.5]), np.zeros(3), horizon=1)
    assert diebold_mariano(losses, losses, horizon=2) == (0.0, 1.0)
    with pytest.raises(ValueError, match="too few"):
        diebold_mariano(losses, losses, horizon=6)
    swinging = np.array([1.0, -1.0] * 30) + 0.01  # plain autocovariances sum below 0
    assert np.isfinite(diebold_mariano(swinging, 0 * swinging, horizon=2)).all()


def test_prices_from_returns_of_any_rank():
    np.testing.assert_allclose(to_prices(np.log([[2.0]]), np.array([3.0])), [[6.0]])
    assert to_prices(np.zeros((4, 3, 2)), np.arange(1.0, 5.0))[3, 0, 1] == 4


def test_regression_scores():
    rng = np.random.default_rng(0)
    actual = rng.uniform(1e5, 5e5, 200)
    predicted = actual * np.exp(rng.normal(0, 0.1, 200))
    scores = score_regression(predicted, actual, replicates=200)
    assert scores["rmse_log"] == pytest.approx(np.sqrt(np.mean(np.log(predicted / actual) ** 2)))
    assert scores["mae"] == pytest.approx(np.abs(predicted - actual).mean())
    fit = LinearRegression().fit(actual[:, None], predicted)
    line = fit.predict(actual[:, None])
    assert score_regression(line, predicted, replicates=0)["r2"] == pytest.approx(fit.score(actual[:, None], predicted))
    for name in ("rmse", "rmse_log", "mae", "r2"):
        low, high = scores[f"{name}_ci"]
        assert low < scores[name] < high
    with pytest.raises(ValueError, match="above 0"):
        score_regression(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
