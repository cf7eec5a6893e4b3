"""The console script from outside: forecasts, comparisons and searches, and what is refused in one line."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stocks_tools import small, write_prices

from dl_shared.runs import read_summary
from dl_shared.testing import answered, help_without_frameworks, refused
from dl_shared.tuning import Choice
from xla_projects.stocks.cli import main
from xla_projects.stocks.compare import recipes, same_ends
from xla_projects.stocks.data import load_data
from xla_projects.stocks.options import CompareOptions
from xla_projects.stocks.train import train

SMALL = ["--features", "returns", "volume", "--lookback", 12, "--horizon", 3, "--hidden", 4, "--layers", 1,
         "--dropout", 0, "--batch-size", 16, "--stride", 8, "--epochs", 1, "--learning-rate", 0.02]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(small(folder, test_tickers=("S02",)), runs_dir=tmp_path_factory.mktemp("runs"))


def test_help_imports_no_framework():
    shown = help_without_frameworks("xla_projects.stocks.cli", "setup", "train", "compare", "tune", "forecast")
    assert "--lookbacks" in shown
    assert "--compile-cache" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nothing"], "does not exist"),
        (["--tickers", "S00", "XYZ"], "no prices for XYZ"),
        (["--cell", "perceptron"], "perceptron"),
        (["--since", "soon"], "give dates like"),
        (["--lookback", 5000], "smaller lookback"),
        (["--stride", 100000], "use a smaller --batch-size, --stride or --lookback"),
        (["--device", "gpu"], "has ended"),
        (["--devices", 3], "batch_size 16 cannot be cut into 3"),
        (["--learning-rate", "1e38", "--epochs", 2], "smaller --learning-rate"),
    ],
    ids=lambda value: "_".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_leave_one_line_and_no_report(capsys, tmp_path, folder, arguments, message):
    line = refused(capsys, main, "train", "--data", folder, *SMALL, *arguments, "--runs-dir", tmp_path)
    assert message in line
    assert not list(tmp_path.glob("xla-stocks/*/report.html"))


def test_forecasts_of_a_company_trained_on_one_kept_apart_and_a_new_one(capsys, tmp_path, finished, folder):
    shutil.copy(folder / "S00.csv", tmp_path / "NEW.csv")
    for options in (["--ticker", "S00"], ["--ticker", "S02"], ["--data", tmp_path, "--ticker", "NEW"]):
        rows = answered(capsys, main, "forecast", "--run", finished, *options)["rows"]
        assert [row["days_ahead"] for row in rows] == [1, 2, 3]
        assert all(row["lower"] < row["price"] < row["upper"] for row in rows)
        assert all(row["actual"] is None for row in rows)
    assert len(list((finished / "plots").glob("forecast-*.png"))) == 3
    assert "no prices for XYZ" in refused(capsys, main, "forecast", "--run", finished, "--ticker", "XYZ")


def test_a_forecast_of_days_that_have_come_since_is_that_of_the_test(capsys, finished, folder):
    close = pd.read_csv(folder / "S02.csv", index_col="Date")["Adj Close"]
    day = close.index[-10]
    rows = answered(capsys, main, "forecast", "--run", finished, "--ticker", "S02", "--as-of", day)["rows"]
    assert [row["actual"] for row in rows] == pytest.approx(close.iloc[-9:-6].tolist())
    predictions = pd.read_parquet(finished / "predictions.parquet")
    same = predictions[predictions["date"] == day]
    assert [row["price"] for row in rows] == pytest.approx(same["forecast"].tolist(), rel=1e-6)


def test_evaluate_gives_the_test_scores_back(capsys, finished, folder):
    again = answered(capsys, main, "evaluate", "--run", finished, "--data", folder, "--tickers", "S02")
    assert again["test"]["mae"] == pytest.approx(read_summary(finished)["metrics"]["test"]["mae"], rel=1e-5)


def test_runs_that_are_not_there_finished_or_damaged(capsys, tmp_path, finished):
    assert "no run" in refused(capsys, main, "forecast", "--runs-dir", tmp_path, "--ticker", "S00")
    assert "finished" in refused(capsys, main, "train", "--resume", finished)
    run = shutil.copytree(finished, tmp_path / "run")
    best = run / "checkpoints" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:100])
    assert "damaged" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    (run / "forecaster.json").unlink()
    assert "not finished" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")


def test_what_is_compared_follows_from_what_is_asked(capsys, folder):
    config = small("sample", features=("returns", "rsi", "macd"))
    asked = CompareOptions(lookbacks=(6, 12, 24), cells=("lstm", "gru"), indicators=True)
    found = dict(recipes(config, asked))
    assert list(found) == ["the recipe", "6 days", "24 days", "GRU", "without indicators"]
    assert found["without indicators"].features == ("returns",)
    assert found["24 days"].lookback == 24
    assert list(recipes(config, CompareOptions())) == [("the recipe", config)]
    line = refused(capsys, main, "compare", "--data", folder, *SMALL, "--indicators")
    assert "needs --features of both kinds" in line


def test_other_windows_and_fewer_features_are_tested_on_the_same_days(folder):
    whole = load_data(small(folder, lookback=24, features=("returns", "averages")))
    for options in ({"lookback": 6, "features": ("returns", "averages")}, {"lookback": 6}):
        data = load_data(small(folder, **options), cuts=whole.cuts)
        assert len(data.test) > len(whole.test)
        ends = same_ends(data.test, whole.test)
        row = {int(end): number for number, end in enumerate(data.test.ends)}
        chosen = [row[int(end)] for end in ends]
        np.testing.assert_array_equal(data.test.dates[chosen], whole.test.dates)
        np.testing.assert_allclose(data.test.targets[chosen], whole.test.targets)


def test_windows_and_cells_beside_each_other_and_the_classical_methods(capsys, tmp_path, folder):
    asked = ["--lookbacks", 6, "--cells", "gru", "--seeds", 2, "--output", tmp_path]
    rows = answered(capsys, main, "compare", "--data", folder, *SMALL, *asked)["rows"]
    named = {row["recipe"]: row for row in rows}
    assert list(named)[:3] == ["the recipe", "6 days", "GRU"]
    assert {"persistence", "arima", "drift"} <= named.keys()
    assert len(named["GRU"]["skills"]) == 2
    assert named["persistence"]["skill"] == 0
    assert named["the recipe"]["skill"] > 0.02
    assert len(named["arima"]["worth_ci"]) == 2
    assert named["persistence"]["worth_ci"][0] > 0
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_a_search_of_a_random_walk_says_that_nothing_was_found_and_touches_the_test_days_once(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("xla_projects.stocks.tune.SPACE", {"cell": Choice(("gru", "lstm"))})
    folder = write_prices(tmp_path / "prices", signal=0.0)
    options = ["--data", folder, *SMALL, "--epochs", 2, "--runs-dir", tmp_path]
    found = answered(capsys, main, "tune", *options, "--trials", 2)
    assert (found["tried"], found["deflated"]["tried"]) == (2, 4), "every epoch of every trial"
    assert found["deflated"]["p_value"] > 0.05
    assert found["test"]["skill_ci"][0] < 0
    more = answered(capsys, main, "tune", *options, "--trials", 3)
    assert more["test"] == found["test"]
    assert "The search has gone on since, to 3." in Path(more["page"]).read_text()
    assert len(list(tmp_path.glob("xla-stocks/2*"))) == 1
