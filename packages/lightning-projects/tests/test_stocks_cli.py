"""The console script from outside: every verb, and bad input as one line and status 2; --help imports no framework."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.data.prices import Prices
from dl_shared.runs import read_summary
from dl_shared.sample.prices import SIGNAL, make_prices
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.testing import help_without_frameworks, refused
from dl_shared.tuning import Float
from lightning_projects.stocks.cli import main
from lightning_projects.stocks.config import PRESETS, Config
from lightning_projects.stocks.train import train

FEATURES = ["--features", *OPTIONS["features"]]
SIZES = ["--lookback", 12, "--horizon", 3, "--hidden", 4, "--layers", 1, "--batch-size", 16]
SMALL = [*FEATURES, *SIZES, "--stride", 8, "--epochs", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(small(folder, test_tickers=("S02",)), runs_dir=tmp_path_factory.mktemp("runs"))


def call(*arguments):
    return main([str(argument) for argument in arguments])


def test_help_and_refusals_import_no_framework():
    assert "--test-tickers" in help_without_frameworks("lightning_projects.stocks.cli", "train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lookback": 0}, "lookback"),
        ({"horizon": 0}, "horizon"),
        ({"hidden": 0}, "hidden"),
        ({"dropout": 1.0}, "dropout"),
        ({"adaptation": 1.0}, "adaptation"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"exogenous_lag_days": -1}, "exogenous_lag_days"),
        ({"patience": -1}, "patience"),
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
        (["--test-tickers", "S00", "S01", "S02"], "none is left to train on"),
        (["--features", "return", "alpha"], "unknown features alpha"),
        (["--lookback", 5000], "smaller lookback"),
        (["--horizon", 600], "smaller lookback or horizon"),
        (["--stride", 100000], "use a smaller --batch-size, --stride or --lookback"),
        (["--exogenous", "none.csv"], "none.csv does not exist"),
        (["--device", "tpu"], "--device"),
        (["--device", "gpu"], "--device"),
        (["--precision", "fp16"], "fp16"),
        (["--learning-rate", "-1"], "learning_rate"),
        (["--num-nodes", "2"], "torchrun"),
    ],
    ids=lambda value: "_".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_leave_one_line_and_no_run(capsys, tmp_path, folder, arguments, message):
    line = refused(capsys, main, "train", "--data", folder, *SMALL, *arguments, "--runs-dir", tmp_path)
    assert message in line
    assert not list(tmp_path.glob("lightning-stocks/*"))


def spoiled(folder, tmp_path, how):
    """A copy of one company's file, changed."""
    table = how(pd.read_csv(folder / "S01.csv", dtype=str))
    table.to_csv(tmp_path / "BAD.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda table: table.drop(columns="close"), "has no column close"),
        (lambda table: table.assign(close=""), "no day with a close"),
        (lambda table: table.assign(close="unknown"), "'unknown' is not a number"),
        (lambda table: table.assign(close="-1"), "which no share can have"),
        (lambda table: table.iloc[:50], "one window"),
        (lambda table: table.iloc[:0], "a header and no days"),
        (lambda table: table.assign(Date="yesterday"), "is not a date"),
    ],
    ids=["column", "NaN", "words", "negative", "short", "empty", "dates"],
)
def test_files_that_cannot_be_used(capsys, tmp_path, folder, how, message):
    source = spoiled(folder, tmp_path, how)
    assert message in refused(capsys, main, "train", "--data", source, *SMALL, "--runs-dir", tmp_path / "runs")
    assert not list(tmp_path.glob("runs/*/*"))


def test_an_empty_folder(capsys, tmp_path):
    assert "no .csv file" in refused(capsys, main, "train", "--data", tmp_path, *SMALL, "--runs-dir", tmp_path)


def test_a_loss_that_is_not_finite_ends_the_run(capsys, tmp_path, folder):
    options = ["--learning-rate", "1e30", "--epochs", 2, "--runs-dir", tmp_path]
    assert "smaller --learning-rate" in refused(capsys, main, "train", "--data", folder, *SMALL, *options)


def test_a_company_fetched_from_yahoo(capsys, tmp_path, monkeypatch):
    """What yfinance makes of Yahoo's answers is tested in dl-shared; here a fetched history takes its way."""
    asked = []

    def fetch(tickers, *, start, end):
        asked.append((*tickers, start))
        frame = make_prices(seed=0, tickers=1, days=700).prices.frames["S00"]
        return Prices(dict.fromkeys(tickers, frame), source="Yahoo Finance")

    monkeypatch.setattr("dl_shared.data.yahoo.fetch_prices", fetch)
    hub = ["--data", "hub", "--tickers", "AAPL", *SMALL, "--stride", 2, "--runs-dir", tmp_path]
    assert call("train", *hub, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["mae"] > 0
    assert call("forecast", "--runs-dir", tmp_path, "--ticker", "MSFT", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["ticker"] == "MSFT"
    assert asked == [("AAPL", "2000-01-01"), ("MSFT", "2000-01-01")]


def test_no_network_for_the_hub(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("DL_YAHOO_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
    line = refused(capsys, main, "train", "--data", "hub", "--tickers", "AAPL", "--runs-dir", tmp_path)
    assert "--data sample" in line


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
        assert all(row["actual"] is None for row in rows)
        assert (finished / "plots" / f"forecast-{options[-1]}-{rows[0]['known_until']}.png").stat().st_size > 10_000
    assert "no prices for XYZ" in refused(capsys, main, "forecast", "--run", finished, "--ticker", "XYZ")


@pytest.mark.parametrize("days_left", [1, 5])
def test_a_forecast_of_days_that_have_come_since_stands_beside_them(capsys, finished, folder, days_left):
    close = pd.read_csv(folder / "S02.csv", index_col="Date")["Adj Close"]
    day = close.index[-1 - days_left]
    assert call("forecast", "--run", finished, "--ticker", "S02", "--as-of", day, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    known = min(days_left, 3)
    assert [row["actual"] for row in rows[:known]] == pytest.approx(close.iloc[-days_left:][:known].tolist())
    assert [row["date"] for row in rows[:known]] == close.index[-days_left:][:known].tolist()
    assert all(row["actual"] is None for row in rows[known:])
    predictions = pd.read_parquet(finished / "predictions.parquet")
    same = predictions[predictions["date"] == day]["forecast"]
    if len(same):
        assert [row["price"] for row in rows] == pytest.approx(same.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("as_of", "message"),
    [("2010-09-01", "has learned from the days before"), ("2009-01-01", "0 days up to"), ("soon", "must be a date")],
)
def test_days_that_cannot_be_forecast_from(capsys, finished, as_of, message):
    assert message in refused(capsys, main, "forecast", "--run", finished, "--ticker", "S02", "--as-of", as_of)


def test_a_history_shorter_than_the_window(capsys, tmp_path, finished, folder):
    pd.read_csv(folder / "S01.csv").iloc[-70:].to_csv(tmp_path / "IPO.csv", index=False)
    line = refused(capsys, main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "IPO")
    assert "fewer than the 12 that a forecast needs" in line


def test_evaluate_gives_the_test_scores_back_and_scores_other_companies(capsys, finished, folder):
    assert call("evaluate", "--run", finished, "--data", folder, "--tickers", "S02", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    summary = read_summary(finished)
    assert again["test"]["mae"] == pytest.approx(summary["metrics"]["test"]["mae"], rel=1e-5)
    assert again["test"]["coverage"] == pytest.approx(summary["metrics"]["test"]["coverage"], abs=1e-3)
    assert set(again["analysis"]) == {"horizon", "volatility", "month"}
    assert call("evaluate", "--run", finished, "--data", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["test"]["mae"] != again["test"]["mae"]
    assert "no AAPL" in refused(capsys, main, "evaluate", "--run", finished, "--data", "sample", "--tickers", "AAPL")


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, folder, monkeypatch):
    monkeypatch.setattr("lightning_projects.stocks.tune.SPACE", {"dropout": Float(0.0, 0.4)})
    assert call("tune", "--data", folder, *SMALL, "--trials", 1, "--runs-dir", tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == {"complete": 1}
    assert 0 <= found["best"]["dropout"] <= 0.4
    assert 0 < found["best_value"] < 2


def test_runs_that_are_not_there_or_are_finished(capsys, tmp_path, finished):
    assert "no run" in refused(capsys, main, "forecast", "--runs-dir", tmp_path, "--ticker", "S00")
    assert "not a run" in refused(capsys, main, "evaluate", "--run", tmp_path, "--data", "sample")
    assert "finished" in refused(capsys, main, "train", "--resume", finished)


def test_a_damaged_checkpoint_and_an_unfinished_run(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    best = run / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:1000])
    assert "damaged" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    best.unlink()
    assert "checkpoint" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    (run / "forecaster.json").unlink()
    assert "not finished" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
