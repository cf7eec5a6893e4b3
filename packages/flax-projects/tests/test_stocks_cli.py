"""The console script from outside: every verb, and bad input as one line and status 2; --help imports no framework."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.runs import read_summary
from dl_shared.sample.prices import SIGNAL
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.testing import help_without_frameworks, refused
from flax_projects.stocks.cli import main
from flax_projects.stocks.config import PRESETS, Config
from flax_projects.stocks.train import train

FEATURES = ["--features", *OPTIONS["features"]]
SIZES = ["--lookback", 12, "--horizon", 3, "--width", 8, "--layers", 1, "--heads", 2, "--batch-size", 16]
SMALL = [*FEATURES, *SIZES, "--members", 2, "--stride", 8, "--epochs", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(small(folder, test_tickers=("S02",)), runs_dir=tmp_path_factory.mktemp("runs"))


def call(*arguments):
    return main([str(argument) for argument in arguments])


def test_help_and_refusals_import_no_framework():
    shown = help_without_frameworks("flax_projects.stocks.cli", "train")
    assert "--learning-rates" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lookback": 0}, "lookback"),
        ({"horizon": 0}, "horizon"),
        ({"width": 20, "heads": 4}, "even share"),
        ({"dropout": 1.0}, "dropout"),
        ({"members": 0}, "members"),
        ({"learning_rates": (1e-3, 0.0)}, "learning rates"),
        ({"exogenous_lag_days": -1}, "exogenous_lag_days"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_defaults_agree_with_what_they_repeat():
    assert next(iter(PRESETS)) == "cpu"
    assert PRESETS["cpu"].sample_signal == SIGNAL
    np.testing.assert_allclose(np.array(LEVELS) + np.array(LEVELS[::-1]), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nothing"], "does not exist"),
        (["--tickers", "S00", "XYZ"], "no prices for XYZ"),
        (["--test-tickers", "XYZ"], "no prices for the test tickers XYZ"),
        (["--features", "return", "alpha"], "unknown features alpha"),
        (["--features", "volume"], "add `return` to the features"),
        (["--lookback", 5000], "smaller lookback"),
        (["--horizon", 600], "smaller lookback or horizon"),
        (["--stride", 100000], "use a smaller --batch-size or --stride"),
        (["--exogenous", "none.csv"], "none.csv does not exist"),
        (["--device", "tpu"], "--device auto"),
        (["--positions", "sinus"], "sinus"),
        (["--precision", "fp16"], "fp16"),
        (["--learning-rate", "-1"], "learning rates"),
    ],
    ids=lambda value: "_".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_leave_one_line_and_no_run(capsys, tmp_path, folder, arguments, message):
    line = refused(capsys, main, "train", "--data", folder, *SMALL, *arguments, "--runs-dir", tmp_path)
    assert message in line
    assert not list(tmp_path.glob("flax-stocks/*"))


def test_a_loss_that_is_not_finite_ends_the_run(capsys, tmp_path, folder):
    line = refused(capsys, main, "train", "--data", folder, *SMALL, "--learning-rate", "1e30", "--runs-dir", tmp_path)
    assert "smaller --learning-rate" in line


def test_exogenous_series_that_end_early(capsys, tmp_path, folder):
    (tmp_path / "rates.csv").write_text("Date,rate\n2010-01-01,1\n2010-02-01,2\n2010-03-01,3\n")
    line = refused(capsys, main, "train", "--data", folder, *SMALL, "--exogenous", tmp_path / "rates.csv")
    assert "ends on 2010-03-01 and the prices on" in line


def test_no_network_for_the_hub(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DL_YAHOO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    line = refused(capsys, main, "train", "--data", "hub", "--tickers", "AAPL", "--runs-dir", tmp_path)
    assert "--data sample" in line


def test_a_history_with_gaps_is_repaired_or_refused(capsys, tmp_path, finished, folder):
    frame = pd.read_csv(folder / "S01.csv")
    frame.iloc[-60:-50, 1:] = np.nan  # days without any price are left out
    frame.to_csv(tmp_path / "GAPS.csv", index=False)
    assert call("forecast", "--run", finished, "--data", tmp_path, "--ticker", "GAPS") == 0
    capsys.readouterr()
    frame = frame.astype({"Close": object}) if "Close" in frame else frame.astype({"close": object})
    frame.iloc[-5, frame.columns.get_loc("close")] = "unknown"
    frame.to_csv(tmp_path / "GAPS.csv", index=False)
    line = refused(capsys, main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "GAPS")
    assert "'unknown' is not a number" in line


def test_a_history_shorter_than_the_window(capsys, tmp_path, finished, folder):
    pd.read_csv(folder / "S01.csv").iloc[-70:].to_csv(tmp_path / "IPO.csv", index=False)
    line = refused(capsys, main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "IPO")
    assert "fewer than the 12 that a forecast needs" in line


def test_forecasts_of_a_company_trained_on_one_kept_apart_and_an_unknown_one(capsys, tmp_path, finished, folder):
    shutil.copy(folder / "S00.csv", tmp_path / "NEW.csv")
    for options in (["--ticker", "S00"], ["--ticker", "S02"], ["--data", tmp_path, "--ticker", "NEW"]):
        assert call("forecast", "--run", finished, *options, "--json") == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert [row["days_ahead"] for row in rows] == [1, 2, 3]
        dates = [pd.Timestamp(row["date"]) for row in rows]
        assert all(date.weekday() < 5 for date in dates)
        assert pd.Timestamp(rows[0]["known_until"]) < dates[0] < dates[1] < dates[2]
        assert all(row["lower"] < row["price"] < row["upper"] for row in rows)
        assert (finished / "plots" / f"forecast-{options[-1]}-{rows[0]['known_until']}.png").stat().st_size > 10_000
    assert "no prices for XYZ" in refused(capsys, main, "forecast", "--run", finished, "--ticker", "XYZ")


def test_evaluate_gives_the_test_scores_back_and_scores_other_companies(capsys, finished, folder):
    assert call("evaluate", "--run", finished, "--data", folder, "--tickers", "S02", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    summary = read_summary(finished)
    assert again["test"]["mae"] == pytest.approx(summary["metrics"]["test"]["mae"], rel=1e-5)
    assert again["test"]["coverage"] == pytest.approx(summary["metrics"]["test"]["coverage"], abs=1e-3)
    assert call("evaluate", "--run", finished, "--data", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["mae"] != again["test"]["mae"]
    assert "no AAPL" in refused(capsys, main, "evaluate", "--run", finished, "--data", "sample", "--tickers", "AAPL")


def test_backtest_trains_anew_for_each_period(capsys, tmp_path, folder):
    output = ["--folds", 2, "--test-days", 80, "--validation-days", 80, "--output", tmp_path, "--json"]
    assert call("backtest", "--data", folder, *SMALL, *output) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["period"] for row in rows][-1] == "all periods"
    assert len(rows) == 3
    table = pd.read_csv(tmp_path / "backtest.csv")
    assert set(table["method"]) >= {"flax-stocks", "persistence", "drift", "arima"}
    assert table.groupby("period").size().nunique() == 1
    pooled = table[table["period"] == "all periods"].set_index("method")
    assert pooled.loc["persistence", "skill"] == 0
    assert pooled.loc["flax-stocks", "coverage"] == pytest.approx(rows[-1]["coverage"])
    assert (tmp_path / "backtest.png").stat().st_size > 10_000
    first, second = (row["period"].split(" to ") for row in rows[:2])
    assert first[1] < second[0], "test periods follow one another"
    assert "need" in refused(capsys, main, "backtest", "--data", folder, *SMALL, "--folds", 50)


def test_compare_says_what_a_part_is_worth(capsys, tmp_path, folder):
    output = ["--parts", "normalization", "--output", tmp_path, "--json"]
    assert call("compare", "--data", folder, *SMALL, *output) == 0
    whole, other = json.loads(capsys.readouterr().out)["rows"]
    assert whole["worth"] == 0
    assert other["variant"] == "normalization returns"
    assert other["worth_ci"][0] <= other["worth"] <= other["worth_ci"][1]
    assert other["worth"] == pytest.approx(100 * (other["pinball"] / whole["pinball"] - 1))
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 2
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, folder, monkeypatch):
    monkeypatch.setattr("flax_projects.stocks.tune.SPACE", {"dropout": _range()})
    assert call("tune", "--data", folder, *SMALL, "--trials", 1, "--runs-dir", tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == {"complete": 1}
    assert 0 <= found["best"]["dropout"] <= 0.4
    assert 0 < found["best_value"] < 1


def _range():
    from dl_shared.tuning import Float

    return Float(0.0, 0.4)


def test_runs_that_are_not_there_or_are_finished(capsys, tmp_path, finished):
    assert "no run" in refused(capsys, main, "forecast", "--runs-dir", tmp_path, "--ticker", "S00")
    assert "not a run" in refused(capsys, main, "evaluate", "--run", tmp_path, "--data", "sample")
    assert "finished" in refused(capsys, main, "train", "--resume", finished)


def test_a_damaged_checkpoint(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    for file in (run / "checkpoints" / "best").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:100])
    assert "checkpoint" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
