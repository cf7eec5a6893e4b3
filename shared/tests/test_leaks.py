"""What the leak suite finds: a forecast that peeks, a future that is not used, a signal, and its table."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dl_shared.files import write_json
from dl_shared.tasks import stocks
from dl_shared.testing import write_prices
from dl_shared.testing.leaks import (
    assert_tells_signal_from_luck,
    assert_unmoved,
    forecasts,
    known_of_data,
    known_of_run,
    middle_of_test,
    with_other_future,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def futures(tmp_path_factory):
    """A day, and the same short history up to it with two futures."""
    folder = tmp_path_factory.mktemp("prices")
    prices = write_prices(folder / "one", days=260, tickers=2)
    one = load(prices)
    day = middle_of_test(one)
    return day, one, load(with_other_future(prices, day))


@pytest.fixture
def records(tmp_path, monkeypatch):
    folder = tmp_path / "leaks" / "shared"
    monkeypatch.setenv("DL_RECORDS", str(folder))
    return folder


def load(prices):
    return stocks.load(str(prices), seed=0, lookback=5, horizon=2, features=["return"])


def write_run(run, data, forecast):
    """What a training leaves behind that forecasts so."""
    run.mkdir()
    bands = {"forecast": forecast, "lower": 0.9 * forecast, "upper": 1.1 * forecast}
    pd.DataFrame({"date": data.test.dates, "base_price": data.test.base_prices, **bands}).to_parquet(
        run / "predictions.parquet"
    )
    write_json(run / "forecaster.json", {"factors": [[1.5, 2.0]], "scaler": data.scaler.to_json()})
    write_json(run / "summary.json", {"schema": 1, "metrics": {"validation": {"mae": 0.5}}})
    (run / "metrics.jsonl").write_text('{"step": 1, "epoch": 1, "split": "train", "loss": 0.5}\n')
    return run


def judge(tmp_path, futures, forecast):
    day, *datas = futures
    runs = [write_run(tmp_path / str(n), data, forecast(data)) for n, data in enumerate(datas)]
    known = [known_of_data(data, day) | known_of_run(run, day) for data, run in zip(datas, runs, strict=True)]
    later = [forecasts(run, after=day) for run in runs]
    assert_unmoved("toy-stocks", known[0], known[1], later=(later[0], later[1]))


def table(folder):
    spec = importlib.util.spec_from_file_location("leaks", ROOT / "tools" / "leaks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main([str(folder)])
    header, _, row = (line.split("|")[1:-1] for line in (folder / "leaks.md").read_text().splitlines())
    return dict(zip(map(str.strip, header), map(str.strip, row), strict=True))


def test_a_forecast_from_the_past_passes_and_is_counted(tmp_path, futures, records):
    judge(tmp_path, futures, lambda data: data.test.base_prices * 1.01)
    found = table(records.parent)
    assert int(found["known before the change"].replace(",", "")) > 5000
    assert found["of these moved"] == "0"
    assert found["forecasts after it that moved"] == "100.0 %"
    assert found["skill on a random walk"] == "not measured"


def test_a_forecast_that_peeks_is_found(tmp_path, futures, records):
    with pytest.raises(AssertionError, match=r"they know what came later: .'forecasts'."):
        judge(tmp_path, futures, lambda data: data.test.target_prices[:, 0])
    assert int(table(records.parent)["of these moved"]) > 0


def test_data_that_peek_are_found(tmp_path, futures):
    """A scaler, say, that was fitted on the whole history."""
    day, one, other = futures
    peeking = [dict(known_of_data(data, day), scaler=np.array([data.test.base_prices.mean()])) for data in (one, other)]
    with pytest.raises(AssertionError, match="scaler"):
        assert_unmoved("toy-stocks", *peeking, later=(one.test.base_prices, other.test.base_prices))


def test_a_future_that_nothing_depends_on_proves_nothing(tmp_path, futures):
    day, one, _ = futures
    with pytest.raises(AssertionError, match="proves nothing"):
        judge(tmp_path, (day, one, one), lambda data: data.test.base_prices)


def summary(skill, low, high, share, coverage=0.9):
    test = {"skill": skill, "skill_ci": [low, high], "coverage": coverage}
    return {"project": "toy-stocks", "metrics": {"test": test, "gap_closed": share}}


def test_luck_and_signals_are_told_apart(records):
    assert_tells_signal_from_luck(summary(0.09, 0.08, 0.1, 0.95), planted=True)
    assert_tells_signal_from_luck(summary(0.001, -0.002, 0.003, None), planted=False)
    found = table(records.parent)
    assert found["of the oracle's"] == "95.0 %"
    assert found["skill on a random walk"] == "0.0010 (-0.0020 to 0.0030)"


@pytest.mark.parametrize(
    ("found", "planted"),
    [
        (summary(0.09, 0.08, 0.1, 0.85), True),
        (summary(0.01, -0.01, 0.03, 0.95), True),
        (summary(0.02, 0.01, 0.03, None), False),
        (summary(0.09, 0.08, 0.1, 0.95, coverage=0.8), True),
    ],
    ids=["half found", "not sure", "found in noise", "intervals too narrow"],
)
def test_what_finds_too_little_or_too_much_fails(found, planted):
    with pytest.raises(AssertionError):
        assert_tells_signal_from_luck(found, planted=planted)
