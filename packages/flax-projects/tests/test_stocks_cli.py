"""The console script from outside: every verb, and bad input as one line and status 2; --help imports no framework."""

import shutil

import numpy as np
import pandas as pd
import pytest
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.testing import answered, help_without_frameworks, refused
from dl_shared.testing.scripts import StockScript
from flax_projects.stocks.cli import main
from flax_projects.stocks.config import Config
from flax_projects.stocks.train import train

FEATURES = ["--features", *OPTIONS["features"]]
SIZES = ["--lookback", 12, "--horizon", 3, "--width", 8, "--layers", 1, "--heads", 2, "--batch-size", 16]
SMALL = (*FEATURES, *SIZES, "--members", 2, "--stride", 8, "--epochs", 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    return train(small(folder, test_tickers=("S02",)), runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(StockScript):
    package = "flax_projects.stocks"
    small = SMALL

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--features", "volume"], "add `return` to the features"),
            (["--positions", "sinus"], "sinus"),
            (["--learning-rate", "-1"], "learning rates"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_further_options_that_cannot_work(self, capsys, tmp_path, folder, arguments, message):
        assert message in self.no_run_for(capsys, tmp_path, "--data", folder, *SMALL, *arguments)


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


def test_exogenous_series_that_end_early(capsys, tmp_path, folder):
    (tmp_path / "rates.csv").write_text("Date,rate\n2010-01-01,1\n2010-02-01,2\n2010-03-01,3\n")
    line = refused(capsys, main, "train", "--data", folder, *SMALL, "--exogenous", tmp_path / "rates.csv")
    assert "ends on 2010-03-01 and the prices on" in line


def test_a_history_with_gaps_is_repaired_or_refused(capsys, tmp_path, finished, folder):
    frame = pd.read_csv(folder / "S01.csv")
    frame.iloc[-60:-50, 1:] = np.nan  # days without any price are left out
    frame.to_csv(tmp_path / "GAPS.csv", index=False)
    answered(capsys, main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "GAPS")
    frame = frame.astype({"close": object})
    frame.iloc[-5, frame.columns.get_loc("close")] = "unknown"
    frame.to_csv(tmp_path / "GAPS.csv", index=False)
    line = refused(capsys, main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "GAPS")
    assert "'unknown' is not a number" in line


def test_backtest_trains_anew_for_each_period(capsys, tmp_path, folder):
    output = ["--folds", 2, "--test-days", 80, "--validation-days", 80, "--output", tmp_path]
    rows = answered(capsys, main, "backtest", "--data", folder, *SMALL, *output)["rows"]
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
    output = ["--parts", "normalization", "--output", tmp_path]
    whole, other = answered(capsys, main, "compare", "--data", folder, *SMALL, *output)["rows"]
    assert whole["worth"] == 0
    assert other["variant"] == "normalization returns"
    assert other["worth_ci"][0] <= other["worth"] <= other["worth_ci"][1]
    assert other["worth"] == pytest.approx(100 * (other["pinball"] / whole["pinball"] - 1))
    assert len(pd.read_csv(tmp_path / "comparison.csv")) == 2
    assert (tmp_path / "comparison.png").stat().st_size > 10_000


def test_a_damaged_checkpoint(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    for file in (run / "checkpoints" / "best").rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:100])
    assert "checkpoint" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
