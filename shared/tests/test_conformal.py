"""Conformal intervals against numbers worked by hand, and what they promise on data that change."""

import numpy as np
import pytest

from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.metrics.conformal import coverages, fit_factors, make_quantiles, track_factors
from dl_shared.sample.prices import make_prices
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs, load_outputs

HALF = (0.25, 0.5, 0.75)
FIVE = (0.05, 0.25, 0.5, 0.75, 0.95)


def test_levels_make_pairs():
    np.testing.assert_allclose(coverages(FIVE), [0.9, 0.5])
    for levels in ((0.1, 0.9), (0.1, 0.5, 0.8), (0.9, 0.5, 0.1)):
        with pytest.raises(ValueError, match="symmetrically"):
            coverages(levels)


def test_the_factor_is_the_score_of_the_rank_that_theory_asks_for():
    scores = np.array([[0.5], [1.0], [1.5], [2.0], [3.0]])
    # ceil((5 + 1) * 0.5) = 3: the third smallest
    np.testing.assert_allclose(fit_factors(scores, HALF), [[1.5]])
    # ceil((5 + 1) * 0.9) = 6 > 5: the largest there is
    np.testing.assert_allclose(fit_factors(scores, (0.05, 0.5, 0.95)), [[3.0]])


def test_the_rank_is_not_raised_by_binary_rounding():
    """Nineteen windows and 90 %: 20 * 0.9 = 18, not the 19 that 20 * (0.95 - 0.05) would be rounded up to."""
    np.testing.assert_allclose(fit_factors(np.arange(1.0, 20.0)[:, None], (0.05, 0.5, 0.95)), [[18.0]])


def test_factors_follow_misses_when_they_are_known():
    """Two days ahead: the answer to the forecast of row 0 moves the factor of row 2, and none before."""
    scores = np.array([[0.0, 9.0], [9.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    found = track_factors(scores, np.array([[1.0], [2.0]]), HALF, rate=0.1)[..., 0]
    up, down = np.exp(0.05), np.exp(-0.05)  # half of all may miss
    np.testing.assert_allclose(found[:, 0], [1, down, down * up, down * up * down])
    np.testing.assert_allclose(found[:, 1], 2 * np.array([1, 1, up, up * down]))


def test_what_is_not_known_yet_is_not_read():
    rng = np.random.default_rng(0)
    scores, factors = rng.exponential(size=(50, 3)), np.ones((3, 2))
    whole = track_factors(scores, factors, FIVE, rate=0.1)
    unknown = scores.copy()
    for ahead in range(1, 4):
        unknown[50 - ahead :, ahead - 1] = np.nan  # rows whose day has not come
    np.testing.assert_array_equal(track_factors(unknown, factors, FIVE, rate=0.1), whole)
    later = scores.copy()
    later[20:] = 99.0
    np.testing.assert_array_equal(track_factors(later, factors, FIVE, rate=0.1)[:21], whole[:21])
    assert not np.array_equal(track_factors(later, factors, FIVE, rate=0.1)[30:], whole[30:])


def test_without_a_rate_nothing_moves():
    factors = np.array([[2.0, 1.0]])
    np.testing.assert_allclose(
        track_factors(np.full((9, 1), 9.0), factors, FIVE, rate=0.0), np.tile(factors, (9, 1, 1))
    )


def test_quantiles_lie_around_the_forecast_and_never_cross():
    quantiles = make_quantiles(np.array([[1.0]]), np.array([0.5]), np.array([[4.0, 2.0]]))
    np.testing.assert_allclose(quantiles, [[[-1, 0, 1, 2, 3]]])
    crossed = make_quantiles(np.array([[1.0]]), np.array([0.5]), np.array([[[1.0, 2.0]]]))
    np.testing.assert_allclose(crossed, [[[0, 0, 1, 2, 2]]], err_msg="the wider takes the ends of the narrower")


def draw(rng, days, spread):
    """Scores of forecasts one and two days ahead, with fat tails."""
    return spread * np.abs(rng.standard_t(4, size=(days, 2)))


def test_fresh_scores_are_covered_as_promised():
    rng = np.random.default_rng(0)
    factors, fresh = fit_factors(draw(rng, 8000, 1.0), FIVE), draw(rng, 8000, 1.0)
    for pair, nominal in enumerate((0.9, 0.5)):
        assert (fresh <= factors[:, pair]).mean(axis=0) == pytest.approx([nominal, nominal], abs=0.015)


@pytest.mark.parametrize("change", [0.5, 1.0, 2.0])
def test_tracking_covers_also_when_the_world_changes(change):
    """Errors double or halve after calibration: fixed intervals fail, those that follow recover."""
    rng = np.random.default_rng(1)
    factors, fresh = fit_factors(draw(rng, 4000, 1.0), FIVE), draw(rng, 3000, change)
    fixed = (fresh <= factors[:, 0]).mean()
    tracked = (fresh <= track_factors(fresh, factors, FIVE, rate=0.03)[..., 0]).mean()
    assert tracked == pytest.approx(0.9, abs=0.02)
    assert change == 1 or abs(fixed - 0.9) > 0.04


def small(**options) -> stocks.Data:
    return stocks.load(
        "sample", **{"seed": 0, "lookback": 20, "horizon": 3, "tickers": ["S00", "S01", "S02"]} | options
    )


def test_volatility_is_that_of_the_last_month_as_known_on_the_day():
    data = small()
    volatility = data.volatility()
    for row in (0, len(data.test) // 2, len(data.test) - 1):
        close = data.histories[data.test.tickers[data.test.ticker_ids[row]]].frame["close"]
        returns = np.diff(np.log(close.loc[: data.test.dates[row]]))
        weights = 0.5 ** (np.arange(len(returns))[::-1] / 21)
        expected = np.sqrt((weights * returns**2).sum() / (weights.sum() + 0.5 ** (len(returns) / 21)))
        assert volatility[row] == pytest.approx(expected)


def test_persistence_with_intervals_covers_companies_never_calibrated_on():
    data = stocks.load("sample", seed=0, lookback=20, horizon=3, test_tickers=["S00", "S01", "S02"], sample_signal=0.0)
    outputs = Outputs.of(data, FIVE).calibrated(data, np.zeros_like(data.validation.targets))
    quantiles = outputs.test_quantiles(data, np.zeros_like(data.test.targets))
    inside = (quantiles[..., 0] <= data.test.targets) & (data.test.targets <= quantiles[..., -1])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    np.testing.assert_array_equal(quantiles[..., 2], 0)


def test_the_days_to_come_take_no_part_in_the_intervals(monkeypatch):
    """A sample whose prices are another walk from some test day on: quantiles up to that day are the same."""
    before = small()
    day = before.test.dates[len(before.test) // 6]

    def changed(**options):
        sample = make_prices(**options)
        for frame in sample.prices.frames.values():
            frame.loc[frame.index > str(day)] *= 3.7
        return sample

    monkeypatch.setattr("dl_shared.tasks.stocks_data.make_prices", changed)
    after = small()
    quantiles = []
    for data in (before, after):
        outputs = Outputs.of(data, FIVE, rate=0.05).calibrated(data, np.zeros_like(data.validation.targets))
        quantiles.append(outputs.test_quantiles(data, np.zeros_like(data.test.targets)))
    known = before.test.dates <= day
    np.testing.assert_array_equal(quantiles[0][known], quantiles[1][known])
    assert not np.array_equal(quantiles[0][~known], quantiles[1][~known])


def test_a_network_learns_moves_of_usual_size_and_its_outputs_are_returns_again():
    data = small()
    outputs, volatility = Outputs.of(data, FIVE), data.volatility("train")
    learned = outputs.from_returns(data.train.targets, volatility)
    np.testing.assert_allclose((learned**2).mean(axis=0), 1)
    np.testing.assert_allclose(outputs.to_returns(learned, volatility), data.train.targets)


def test_a_run_keeps_what_it_takes_to_forecast(tmp_path):
    data = small()
    outputs = Outputs.of(data, FIVE, rate=0.02).calibrated(data, np.zeros_like(data.validation.targets))
    with pytest.raises(InputError, match="not finished"):
        load_outputs(tmp_path)
    outputs.save(tmp_path)
    again = load_outputs(tmp_path)
    np.testing.assert_array_equal(again.factors, outputs.factors)
    np.testing.assert_array_equal(again.target_scale, outputs.target_scale)
    assert (again.features, again.levels, again.rate) == (outputs.features, FIVE, 0.02)
    for damaged in ({}, [], {"features": ["return"]}, {**_json(tmp_path), "factors": [[1.0]]}):
        write_json(tmp_path / "forecaster.json", damaged)
        with pytest.raises(InputError, match="damaged"):
            load_outputs(tmp_path)


def _json(folder):
    from dl_shared.files import read_json

    return read_json(folder / "forecaster.json")
