"""What a finished run says: no look-ahead anywhere, calibrated intervals, forecasts beside what came."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from stocks_tools import small, write_prices

from dl_shared.tasks import stocks
from dl_shared.tasks.stocks import load_data
from dl_shared.tasks.stocks_forecast import last_quantiles, predict
from dl_shared.testing.leaks import with_other_future
from lightning_projects.fitting import make_trainer
from lightning_projects.stocks.data import StocksData
from lightning_projects.stocks.train import Predictor, make_module

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def fitted(folder, tmp_path_factory):
    """Data, network and calibrated outputs after two epochs, without a run directory."""
    config = small(folder, adaptation=0.05)
    data = load_data(config)
    datamodule = StocksData(config, data)
    module = make_module(config, datamodule)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    make_trainer(config, default_root_dir=tmp_path_factory.mktemp("trainer"), **quiet).fit(module, datamodule)
    predictor = Predictor(module.network.eval(), CPU)
    return data, predictor, datamodule.outputs.calibrated(data, validated(data, predictor, datamodule.outputs))


def validated(data, predictor, outputs):
    return outputs.to_returns(predict(predictor, data.validation), data.volatility("validation"))


def quantiles_of(data, predictor, outputs):
    return outputs.test_quantiles(data, outputs.to_returns(predict(predictor, data.test), data.volatility()))


@pytest.mark.leak
def test_changing_the_future_moves_no_forecast_made_before_it(folder, fitted):
    """Through features, scaler, windows, network, calibration and tracking: all but the files is the run's own code."""
    data, predictor, outputs = fitted
    last_known = data.test.dates[len(data.test) // 6]
    other = with_other_future(folder, last_known)
    after = load_data(small(other), scaler=outputs.scaler, cuts=data.cuts)
    before, now = quantiles_of(data, predictor, outputs), quantiles_of(after, predictor, outputs)
    np.testing.assert_array_equal(data.test.dates, after.test.dates)
    known = data.test.dates <= last_known
    assert 50 < known.sum() < len(known) - 50
    np.testing.assert_array_equal(before[known], now[known])
    assert np.abs(before[~known] - now[~known]).max() > 1e-4, "the later ones do use what was changed"
    again = load_data(small(other))
    np.testing.assert_array_equal(again.scaler.mean, data.scaler.mean)
    np.testing.assert_array_equal(again.target_scale, data.target_scale)


def test_test_targets_take_no_part_in_training_or_calibration(folder, fitted):
    data, predictor, outputs = fitted
    wild = dataclasses.replace(data, test=dataclasses.replace(data.test, targets=data.test.targets * 100))
    again = outputs.calibrated(wild, validated(data, predictor, outputs))
    np.testing.assert_array_equal(again.factors, outputs.factors)


def test_validation_targets_are_covered_as_calibrated(fitted):
    data, predictor, outputs = fitted
    part = data.validation
    forecasts, volatility = validated(data, predictor, outputs), data.volatility("validation")
    fixed = outputs.unmoved().quantiles(forecasts, part.targets, volatility, part.ticker_ids)
    inside = (fixed[..., 0] <= part.targets) & (part.targets <= fixed[..., -1])
    assert inside.mean(axis=0) == pytest.approx([0.9] * 3, abs=0.01)


def test_windows_are_forecast_alike_in_chunks_of_any_size(fitted, monkeypatch):
    data, predictor, _ = fitted
    whole = predict(predictor, data.test)
    monkeypatch.setattr("lightning_projects.stocks.train.PREDICTED_AT_ONCE", 7)
    np.testing.assert_allclose(predict(predictor, data.test), whole, atol=1e-6)
    with torch.inference_mode():
        every_day = predictor.network(torch.from_numpy(data.test.inputs))
    np.testing.assert_allclose(every_day[:, -1], whole, atol=1e-6)


def test_the_last_forecast_of_a_history_is_that_of_the_test_part(fitted):
    """`forecast` from the day of the last test window, whose earlier forecasts were tracked from the same day on."""
    data, predictor, outputs = fitted
    expected = quantiles_of(data, predictor, outputs)[data.test.ticker_ids == 1]
    history = data.histories["S01"]
    ends = np.searchsorted(history.dates, data.test.dates[data.test.ticker_ids == 1])
    values = outputs.scaler.transform(history.features).astype(np.float32)
    forecasts = outputs.to_returns(predictor(values, ends, 12), history.volatility[ends])
    for last in (len(ends) - 1, len(ends) // 2):
        found = last_quantiles(outputs, history, ends[: last + 1], forecasts[: last + 1])
        np.testing.assert_allclose(found, expected[last], rtol=1e-5, atol=1e-8)


def test_a_forecast_needs_the_last_window_alone(folder, fitted, tmp_path):
    data, predictor, outputs = fitted
    pd.read_csv(folder / "S01.csv", index_col="Date").iloc[-100:].to_csv(tmp_path / "NEW.csv")
    short = stocks.load_history(str(tmp_path), "NEW", seed=0, features=data.features)
    rows = []
    for history in (short, data.histories["S01"]):
        rows.append(predictor.network.forecast(torch.from_numpy(history.latest(12, outputs.scaler))).detach().numpy())
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-4, atol=1e-7)
