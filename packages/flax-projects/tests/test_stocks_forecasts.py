"""What a finished run says: no look-ahead through the model, coverage, forecasts of days that nobody knows yet."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from flax import nnx
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.errors import InputError
from dl_shared.files import write_json
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks import load_data
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.testing.leaks import with_other_future
from flax_projects.devices import data_mesh
from flax_projects.stocks.calibration import stretch_intervals
from flax_projects.stocks.ensemble import load_ensemble, make_model
from flax_projects.stocks.train import fit_quietly


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def fitted(folder):
    config = small(folder)
    data = load_data(config)
    return data, fit_quietly(config, data, data_mesh("cpu", config.batch_size))


@pytest.mark.leak
def test_changing_the_future_moves_no_forecast_made_before_it(folder, fitted):
    """Through features, scaler, windows, network and calibration: all but the files is the run's own code."""
    data, ensemble = fitted
    last_known = data.test.dates[len(data.test) // 6]
    other = with_other_future(folder, last_known)
    after = load_data(small(other), scaler=ensemble.scaler, cuts=data.cuts)
    before, now = ensemble.forecast(data.test), ensemble.forecast(after.test)
    np.testing.assert_array_equal(data.test.dates, after.test.dates)
    known = data.test.dates <= last_known
    assert 50 < known.sum() < len(known) - 50
    np.testing.assert_array_equal(before[known], now[known])
    assert np.abs(before[~known] - now[~known]).max() > 1e-4, "the later ones do use what was changed"
    again = load_data(small(other))
    np.testing.assert_array_equal(again.scaler.mean, data.scaler.mean)
    np.testing.assert_array_equal(again.target_scale, data.target_scale)


def test_the_ensemble_is_the_mean_of_its_members_and_calibration_stretches_it(fitted):
    data, ensemble = fitted
    raw = dataclasses.replace(ensemble, stretch=None).forecast(data.test)
    model = nnx.view(make_model(ensemble.config, data.features), deterministic=True)

    members = []
    for row in range(OPTIONS["members"]):
        nnx.update(model, jax.tree.map(lambda array, row=row: array[row], ensemble.models))
        members.append(np.asarray(nnx.jit(lambda m, x: m.forecast(x))(model, jnp.asarray(data.test.inputs))))
    expected = np.mean(members, axis=0) * data.target_scale[:, None]
    np.testing.assert_allclose(raw, expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(ensemble.forecast(data.test), stretch_intervals(raw, ensemble.stretch))
    assert raw.shape == (len(data.test), 3, len(LEVELS))


def test_validation_targets_are_covered_as_calibrated(fitted):
    data, ensemble = fitted
    quantiles = ensemble.forecast(data.validation)
    inside = (quantiles[..., 0] <= data.validation.targets) & (data.validation.targets <= quantiles[..., -1])
    assert inside.mean(axis=0) == pytest.approx([0.9] * 3, abs=0.01)


def test_test_targets_take_no_part_in_calibration(folder, fitted):
    data, ensemble = fitted
    test = dataclasses.replace(data.test, targets=data.test.targets * 100)
    again = ensemble.calibrated(dataclasses.replace(data, test=test))
    np.testing.assert_array_equal(again.stretch, ensemble.stretch)


def test_a_forecast_needs_the_ticker_s_last_window_alone(folder, fitted, tmp_path):
    data, ensemble = fitted
    frame = pd.read_csv(folder / "S01.csv", index_col="Date")
    frame.iloc[-100:].to_csv(tmp_path / "NEW.csv")
    short = stocks.load_history(str(tmp_path), "NEW", seed=0, features=data.features)
    whole = data.histories["S01"]
    row = np.array([ensemble.config.lookback - 1])
    one, other = (
        ensemble.forecast_rows(history.latest(ensemble.config.lookback, ensemble.scaler)[0], row)
        for history in (short, whole)
    )
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7)
    assert one.shape == (1, 3, len(LEVELS))


def test_what_a_run_keeps_is_checked(tmp_path, folder):
    write_json(tmp_path / "config.json", dataclasses.asdict(small(folder)))
    with pytest.raises(InputError, match="not finished"):
        load_ensemble(tmp_path)
    write_json(tmp_path / "forecaster.json", {"features": ["return"]})
    with pytest.raises(InputError, match="damaged"):
        load_ensemble(tmp_path)
