"""The console script from outside: every verb, and bad input as one line and status 2; --help imports no framework."""

import shutil

import pandas as pd
import pytest
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.data.prices import Prices
from dl_shared.sample.prices import make_prices
from dl_shared.testing import answered, help_without_frameworks, refused
from dl_shared.testing.scripts import StockScript
from lightning_projects.stocks.cli import main
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.train import train

FEATURES = ["--features", *OPTIONS["features"]]
SIZES = ["--lookback", 12, "--horizon", 3, "--hidden", 4, "--layers", 1, "--batch-size", 16]
SMALL = (*FEATURES, *SIZES, "--stride", 8, "--epochs", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(small(folder, test_tickers=("S02",)), runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(StockScript):
    package = "lightning_projects.stocks"
    small = SMALL

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--device", "gpu"], "--device"),
            (["--learning-rate", "-1"], "learning_rate"),
            (["--num-nodes", "2"], "torchrun"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_further_options_that_cannot_work(self, capsys, tmp_path, folder, arguments, message):
        assert message in self.no_run_for(capsys, tmp_path, "--data", folder, *SMALL, *arguments)

    def test_evaluate_says_where_the_errors_are(self, capsys, finished, folder):
        scores = answered(capsys, self.main, "evaluate", "--run", finished, "--data", folder)
        assert set(scores["analysis"]) == {"horizon", "volatility", "month"}


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


def test_a_company_fetched_from_yahoo(capsys, tmp_path, monkeypatch):
    """What yfinance makes of Yahoo's answers is tested in dl-shared; here a fetched history takes its way."""
    asked = []

    def fetch(tickers, *, start, end):
        asked.append((*tickers, start))
        frame = make_prices(seed=0, tickers=1, days=700).prices.frames["S00"]
        return Prices(dict.fromkeys(tickers, frame), source="Yahoo Finance")

    monkeypatch.setattr("dl_shared.data.yahoo.fetch_prices", fetch)
    hub = ["--data", "hub", "--tickers", "AAPL", *SMALL, "--stride", 2, "--runs-dir", tmp_path]
    assert answered(capsys, main, "train", *hub)["test"]["mae"] > 0
    (row, *_) = answered(capsys, main, "forecast", "--runs-dir", tmp_path, "--ticker", "MSFT")["rows"]
    assert row["ticker"] == "MSFT"
    assert asked == [("AAPL", "2000-01-01"), ("MSFT", "2000-01-01")]


@pytest.mark.parametrize("days_left", [1, 5])
def test_a_forecast_of_days_that_have_come_since_stands_beside_them(capsys, finished, folder, days_left):
    close = pd.read_csv(folder / "S02.csv", index_col="Date")["Adj Close"]
    day = close.index[-1 - days_left]
    rows = answered(capsys, main, "forecast", "--run", finished, "--ticker", "S02", "--as-of", day)["rows"]
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


def test_a_damaged_checkpoint_and_an_unfinished_run(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    best = run / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:1000])
    assert "damaged" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    best.unlink()
    assert "checkpoint" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    (run / "forecaster.json").unlink()
    assert "not finished" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
