"""The task as a project sees it: load, forecast, report."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from yahoo_server import yahoo_server

from dl_shared.config import TrainConfig
from dl_shared.data.backtest import rolling_origin
from dl_shared.data.scalers import Scaler
from dl_shared.errors import InputError
from dl_shared.plots.forecasting import error_by_horizon
from dl_shared.runs import Run
from dl_shared.sample.prices import make_prices
from dl_shared.tasks import stocks

PICTURES = {
    *("curves", "fans", "forecasts", "methods_by_horizon", "residuals", "skill"),
    *("errors_by_horizon", "errors_by_volatility", "errors_by_month"),
}


def small(**options) -> stocks.Data:
    """Three sample tickers: quick to load and to hold baselines against."""
    return stocks.load(
        "sample", **{"seed": 0, "lookback": 20, "horizon": 3, "tickers": ["S00", "S01", "S02"]} | options
    )


def products(data: stocks.Data, windows) -> np.ndarray:
    """The moves of the last days, and their products with the volume: all that the sample's signal is made of."""
    raw = dict(zip(data.features, np.moveaxis(data.scaler.inverse(windows.inputs[:, -20:]), -1, 0), strict=True))
    moves = 100 * (raw["return"] - raw["overnight"])
    return np.concatenate([moves, moves * raw["volume"], 100 * raw["overnight"], np.ones((len(moves), 1))], axis=1)


def fit_products(data: stocks.Data) -> np.ndarray:
    """Forecasts of the test part by ridge regression on `products`."""
    rows, targets = products(data, data.train), data.train.targets / data.target_scale
    weights = np.linalg.solve(rows.T @ rows + 10 * np.eye(rows.shape[1]), rows.T @ targets)
    return (products(data, data.test) @ weights) * data.target_scale


def test_windows_hold_what_was_known_and_what_came():
    data = small()
    for part in (data.train, data.validation, data.test):
        close = {ticker: data.histories[ticker].frame["close"] for ticker in part.tickers}
        for i in (0, len(part) // 2, len(part) - 1):
            series = close[part.tickers[part.ticker_ids[i]]]
            day = series.index.get_loc(pd.Timestamp(part.dates[i]))
            assert part.base_prices[i] == series.iloc[day]
            np.testing.assert_allclose(part.target_prices[i], series.iloc[day + 1 : day + 4])
            assert [str(date) for date in part.target_dates[i]] == [
                str(d.date()) for d in series.index[day + 1 : day + 4]
            ]
            raw = data.histories[part.tickers[part.ticker_ids[i]]].features[day - 19 : day + 1]
            np.testing.assert_allclose(part.inputs[i], data.scaler.transform(raw), rtol=1e-6, atol=1e-6)
    assert data.features[:2] == ("return", "volume")
    assert data.train.inputs.dtype == np.float32


def test_no_window_straddles_a_split():
    data = small()
    first_validation, first_test = data.cuts.validation_from, data.cuts.test_from
    assert data.train.target_dates.max() < first_validation
    assert data.validation.target_dates.max() < first_test
    for part, begin in ((data.validation, first_validation), (data.test, first_test)):
        dates = data.histories["S00"].dates
        firsts = dates[np.searchsorted(dates, part.dates) - 19]
        assert firsts.min() == begin


def test_changing_the_test_period_moves_nothing_that_is_trained_on(monkeypatch):
    before = small()
    cut = before.cuts.validation_from

    def changed(**options):
        sample = make_prices(**options)
        for frame in sample.prices.frames.values():
            frame.loc[frame.index >= pd.Timestamp(cut)] *= 3.7
        return sample

    monkeypatch.setattr("dl_shared.tasks.stocks_data.make_prices", changed)
    after = small()
    assert after.fingerprint != before.fingerprint
    np.testing.assert_array_equal(after.train.inputs, before.train.inputs)
    np.testing.assert_array_equal(after.train.targets, before.train.targets)
    np.testing.assert_array_equal(after.scaler.mean, before.scaler.mean)
    np.testing.assert_array_equal(after.target_scale, before.target_scale)


def test_test_tickers_are_never_trained_on():
    data = small(test_tickers=["S01"])
    assert data.train.tickers == data.validation.tickers == ("S00", "S02")
    assert data.test.tickers == ("S01",)
    alone = small(tickers=["S00", "S02"], cuts=data.cuts)
    np.testing.assert_array_equal(data.scaler.mean, alone.scaler.mean)
    np.testing.assert_array_equal(data.train.inputs, alone.train.inputs)


def test_other_data_are_prepared_as_the_run_prepared_its_own():
    data = small()
    kept = Scaler.from_json(json.loads(json.dumps(data.scaler.to_json())))
    other = small(tickers=["S03"], scaler=kept)
    np.testing.assert_allclose(other.test.inputs[0], kept.transform(other.histories["S03"].features[_first(other)]))
    with pytest.raises(InputError, match="the scaler given is for 8 features, these data have 1"):
        small(features=["return"], scaler=kept)


def _first(data: stocks.Data) -> slice:
    end = int(np.searchsorted(data.histories["S03"].dates, data.test.dates[0])) + 1
    return slice(end - 20, end)


def test_the_latest_window_ends_on_the_last_day():
    data = small()
    inputs = data.histories["S01"].latest(20, data.scaler)
    assert inputs.shape == (1, 20, 8)
    np.testing.assert_allclose(inputs[0, :-3], data.test.inputs[data.test.ticker_ids == 1][-1, 3:], atol=1e-6)


def test_exogenous_series_become_features(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("Date,rate\n2010-06-01,1.0\n2015-01-01,2.0\n")
    data = small(features=["return"], exogenous=path)
    assert data.features == ("return", "rate")
    history = data.histories["S00"]
    assert str(history.dates[0]) == "2010-06-02"  # not known before
    assert set(history.features[history.dates <= np.datetime64("2015-01-01"), 1]) == {1.0}
    assert set(history.features[history.dates > np.datetime64("2015-01-01"), 1]) == {2.0}


def test_folds_of_a_backtest_are_cuts():
    dates = np.concatenate([history.dates for history in small().histories.values()])
    folds = rolling_origin(dates, folds=3, horizon=3)
    tested = [small(cuts=fold).test for fold in folds]
    assert all(len(part) for part in tested)
    assert tested[0].target_dates.max() < folds[1].test_from <= tested[1].dates.min()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lookback": 0}, "lookback and horizon must be at least 1"),
        ({"lookback": 3000}, r"no ticker has the 3000 \+ 3 days of one window"),
        ({"lookback": 500}, r"the validation part holds no window of 500 \+ 3 days"),
        ({"tickers": ["AAPL"]}, "the sample has no AAPL"),
        ({"test_tickers": ["XYZ"]}, "no prices for the test tickers XYZ"),
        ({"test_tickers": ["S00", "S01", "S02"]}, "none is left to train on"),
        ({"features": ["alpha"]}, "unknown features alpha"),
        ({"exogenous": "none.csv"}, "none.csv does not exist"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(options, message):
    with pytest.raises(InputError, match=message):
        small(**options)


def test_a_history_too_short_is_left_out_and_noted(tmp_path):
    sample = make_prices(seed=0, tickers=2, days=900).prices
    for ticker, days in (("S00", 900), ("S01", 70)):
        frame = sample.frames[ticker].iloc[:days].reset_index()
        frame.rename(columns={"adj_close": "Adj Close"}).to_csv(tmp_path / f"{ticker}.csv", index=False)
    data = stocks.load(str(tmp_path), seed=0, lookback=20, horizon=3)
    assert data.train.tickers == ("S00",)
    assert any(note.startswith("S01: left out, 70 days") for note in data.notes)


def test_the_hub_is_yahoo(monkeypatch, tmp_path):
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    frame = make_prices(seed=0, tickers=1, days=700).prices.frames["S00"]
    rows = [(str(day.date()), *map(float, row)) for day, row in zip(frame.index, frame.to_numpy(), strict=True)]
    with yahoo_server({"ABC": rows}) as server:
        monkeypatch.setenv("DL_YAHOO_URL", server.url)
        data = stocks.load("hub", seed=0, tickers=["ABC"], lookback=20, horizon=3, end="2020-01-01")
    assert data.source.startswith("Yahoo Finance: ABC")
    assert data.oracle is None
    assert data.optimum is None
    np.testing.assert_allclose(data.histories["ABC"].close[-5:], frame["adj_close"].iloc[-5:])


def test_the_planted_signal_can_be_found_and_a_random_walk_has_none():
    data = stocks.load("sample", seed=0, lookback=20, horizon=3)
    baseline = data.score(np.zeros_like(data.test.targets), replicates=0)["mae"]
    result = data.score(fit_products(data), replicates=0)["mae"]
    assert (result - baseline) / (data.optimum["mae"] - baseline) > 0.9
    assert data.optimum["skill_ci"][0] > 0.1
    walk = stocks.load("sample", seed=0, lookback=20, horizon=3, sample_signal=0.0)
    low, high = walk.score(fit_products(walk))["skill_ci"]
    assert low < 0.01
    assert high > -0.02
    assert not walk.oracle.any()


def test_a_report_holds_scores_beside_baselines_and_optimum(tmp_path):
    data = small()
    forecasts = fit_products(data)
    levels = (0.05, 0.5, 0.95)
    quantiles = forecasts[..., None] + data.target_scale[:, None] * np.array([-1.6, 0.0, 1.6])
    config = TrainConfig(data="sample", epochs=1, batch_size=1)
    with Run.start(
        "toy-stocks", config, task="stocks", framework="numpy", primary="mae", higher_is_better=False, runs_dir=tmp_path
    ) as run:
        run.log(step=1, epoch=1, split="train", loss=1.0)
        stocks.record_data(run, data)
        metrics = stocks.report(run, data, forecasts, quantiles=quantiles, levels=levels)
    summary = json.loads((run.path / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["data"]["rows"] == data.rows
    assert summary["metrics"]["gap_closed"] == pytest.approx(metrics["gap_closed"])
    assert metrics["gap_closed"] > 0.7
    assert metrics["baseline"]["skill"] == 0
    assert set(metrics["baselines"]) >= {"persistence", "drift", "seasonal_naive", "exponential_smoothing", "arima"}
    assert metrics["baselines"]["persistence"]["diebold_mariano"]["p_value"] < 0.05
    assert {"mae", "rmse", "mape", "mase", "directional_accuracy", "skill", "crps", "coverage"} <= set(metrics["test"])
    assert set(metrics["test"]["horizons"]) == {"1", "2", "3"}
    assert "coverage" in metrics["test"]["horizons"]["2"]
    predictions = pd.read_parquet(run.path / "predictions.parquet")
    assert len(predictions) == len(data.test) * 3
    error = (predictions["forecast"] - predictions["actual"]).abs().mean()
    assert error == pytest.approx(metrics["test"]["mae"])
    assert {path.stem for path in (run.path / "plots").glob("*.png")} == PICTURES
    assert (run.path / "report.html").stat().st_size > 10_000

    again = stocks.evaluate(run.path, data, forecasts)
    assert again["test"]["mae"] == metrics["test"]["mae"]
    assert len(list((run.path / "evaluations").glob("*.json"))) == 1
    for bad in (forecasts[1:], np.where(forecasts > 0.02, np.nan, forecasts)):
        with pytest.raises(ValueError, match="finite forecasts of shape"):
            stocks.evaluate(run.path, data, bad)
    with pytest.raises(ValueError, match="ascending quantiles"):
        stocks.evaluate(run.path, data, forecasts, quantiles=quantiles[..., ::-1], levels=levels)


def test_pictures_have_titles_units_and_every_method():
    horizons = {"1": {"mae": 1.0, "mae_ci": [0.5, 1.5]}, "2": {"mae": 2.0, "mae_ci": [1.5, 2.5]}}
    fig = error_by_horizon({"net": horizons, "seasonal_naive": horizons})
    (axis,) = fig.axes
    assert fig.get_suptitle() == "Error by days ahead"
    assert "dollars" in axis.get_ylabel()
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["net", "seasonal naive"]


@pytest.mark.slow
@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="needs the folder of real data in DL_TEST_DATA")
def test_real_prices_of_tickers_never_trained_on():
    folder = Path(os.environ["DL_TEST_DATA"]) / "stocks"
    data = stocks.load(str(folder), seed=0, horizon=20, test_tickers=["AAPL", "BA"])
    assert data.test.tickers == ("AAPL", "BA")
    assert np.isfinite(data.train.inputs).all()
    persistence = data.score(np.zeros_like(data.test.targets))
    assert persistence["skill"] == 0
    assert persistence["horizons"]["20"]["mae"] > persistence["horizons"]["1"]["mae"]


def test_one_company_s_history_is_enough_to_forecast_from(tmp_path):
    frame = make_prices(seed=0, tickers=1, days=100).prices.frames["S00"].rename(columns={"adj_close": "Adj Close"})
    frame.to_csv(tmp_path / "NEW.csv", index_label="Date")
    history = stocks.load_history(str(tmp_path), "NEW", seed=0, features=["return", "volume"])
    scaler = Scaler.fit(history.features)
    window = history.latest(20, scaler)
    np.testing.assert_allclose(window[0], scaler.transform(history.features[-20:]), rtol=1e-5, atol=1e-6)
    assert window.dtype == np.float32
    with pytest.raises(InputError, match="fewer than the 90 that a forecast needs"):
        history.latest(90, scaler)
    with pytest.raises(InputError, match="no prices for OTHER"):
        stocks.load_history(str(tmp_path), "OTHER", seed=0)


def test_exogenous_series_must_reach_as_far_as_the_prices(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text("Date,rate\n2010-01-01,1\n2010-02-01,2\n2010-03-01,3\n")
    with pytest.raises(InputError, match="ends on 2010-03-01 and the prices on 2021-07-02; give a file that reaches"):
        small(exogenous=path)
