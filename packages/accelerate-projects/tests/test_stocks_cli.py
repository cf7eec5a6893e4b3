"""The console script from outside: what is answered, and what is refused in one line."""

import shutil

import pandas as pd
import pytest
from stocks_tools import OPTIONS, small, write_headlines, write_prices

from accelerate_projects.stocks.cli import main
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import load_data
from accelerate_projects.stocks.train import train
from dl_shared.runs import read_summary
from dl_shared.testing import answered, help_without_frameworks, refused

SMALL = ["--features", *OPTIONS["features"], "--lookback", 12, "--horizon", 3, "--hidden", 4, "--layers", 1,
         "--batch-size", 16, "--stride", 8, "--epochs", 1]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def news(tmp_path_factory):
    return write_headlines(tmp_path_factory.mktemp("news") / "news.csv")


@pytest.fixture(scope="module")
def finished(folder, news, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    return train(small(folder, test_tickers=("S02",), headlines=str(news)), runs_dir=runs)


def test_help_and_refusals_import_no_framework():
    shown = help_without_frameworks("accelerate_projects.stocks.cli", "train", "compare", "tune")
    assert "--headlines" in shown
    assert "--cells" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ("returns", "alpha")}, "features"),
        ({"features": ("news",)}, "features"),
        ({"features": ("returns", "returns")}, "features"),
        ({"headlines": "sample", "data": "hub"}, "headlines sample go with data sample"),
        ({"sentiment_model": "folder"}, "sentiment_model"),
        ({"hidden": 0}, "hidden"),
        ({"dropout": 1.0}, "dropout"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"sample_news": -1.0}, "sample_news"),
        ({"lookback": 0}, "lookback"),
        ({"batch_size": 15, "accumulate": 2}, "batch_size"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "nothing"], "does not exist"),
        (["--tickers", "S00", "XYZ"], "no prices for XYZ"),
        (["--cell", "perceptron"], "perceptron"),
        (["--since", "soon"], "give dates like"),
        (["--since", "2030-01-01"], "has no day from 2030-01-01"),
        (["--lookback", 5000], "smaller lookback"),
        (["--stride", 100000], "use a smaller --batch-size, --stride or --lookback"),
        (["--device", "tpu"], "xla-projects"),
        (["--precision", "fp16"], "needs a GPU"),
        (["--learning-rate", "1e30", "--epochs", 2], "smaller --learning-rate"),
    ],
    ids=lambda value: "_".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_that_cannot_work_leave_one_line_and_no_run(capsys, tmp_path, folder, arguments, message):
    line = refused(capsys, main, "train", "--data", folder, *SMALL, *arguments, "--runs-dir", tmp_path)
    assert message in line
    assert not list(tmp_path.glob("accelerate-stocks/*/report.html"))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda table: table.drop(columns="date"), "has no column date"),
        (lambda table: table.assign(date=""), "headlines without a date"),
        (lambda table: table.assign(stock="XYZ"), "no headline about S00"),
        (lambda table: table.iloc[:0], "it has no rows"),
    ],
    ids=["no column", "no dates", "unknown companies", "empty"],
)
def test_headlines_that_cannot_be_used(capsys, tmp_path, folder, news, how, message):
    how(pd.read_csv(news)).to_csv(tmp_path / "news.csv", index=False)
    given = ["--headlines", tmp_path / "news.csv", "--runs-dir", tmp_path / "runs"]
    assert message in refused(capsys, main, "train", "--data", folder, *SMALL, *given)
    assert not list(tmp_path.glob("runs/*/*")), "wrong headlines leave no run behind"


def test_rows_of_headlines_that_are_broken_are_counted_and_left_out(tmp_path, folder, news):
    lines = news.read_text().splitlines()
    lines[5] = lines[5].partition(",")[0]  # broken over two rows, the rest on the next
    lines.insert(6, ",2010-02-03 10:00:00-05:00,S01")
    lines += ["About nobody we know,2010-02-03,QQQQ", "Up,soon,S01"]
    (tmp_path / "news.csv").write_text("\n".join(lines) + "\n")
    notes = load_data(small(folder, headlines=str(tmp_path / "news.csv"))).notes
    assert notes[0].startswith("2 headlines without a date that can be read left out (row 5, ")
    assert notes[1] == "1 headlines without a headline left out (row 6)"
    assert notes[2].startswith("headlines from 2010-01-")


def test_forecasts_of_a_company_trained_on_one_kept_apart_and_one_without_news(capsys, tmp_path, finished, folder):
    shutil.copy(folder / "S00.csv", tmp_path / "NEW.csv")
    for options in (["--ticker", "S00"], ["--ticker", "S02"], ["--data", tmp_path, "--ticker", "NEW"]):
        rows = answered(capsys, main, "forecast", "--run", finished, *options)["rows"]
        assert [row["days_ahead"] for row in rows] == [1, 2, 3]
        assert all(row["lower"] < row["price"] < row["upper"] for row in rows)
        assert all(row["actual"] is None for row in rows)
    assert "no prices for XYZ" in refused(capsys, main, "forecast", "--run", finished, "--ticker", "XYZ")


def test_a_forecast_of_days_that_have_come_since_is_that_of_the_test(capsys, finished, folder):
    close = pd.read_csv(folder / "S02.csv", index_col="Date")["Adj Close"]
    day = close.index[-10]
    rows = answered(capsys, main, "forecast", "--run", finished, "--ticker", "S02", "--as-of", day)["rows"]
    assert [row["actual"] for row in rows] == pytest.approx(close.iloc[-9:-6].tolist())
    predictions = pd.read_parquet(finished / "predictions.parquet")
    same = predictions[predictions["date"] == day]
    assert [row["price"] for row in rows] == pytest.approx(same["forecast"].tolist(), rel=1e-6)


def test_evaluate_gives_the_test_scores_back_and_refuses_companies_without_news(capsys, finished, folder):
    again = answered(capsys, main, "evaluate", "--run", finished, "--data", folder, "--tickers", "S02")
    assert again["test"]["mae"] == pytest.approx(read_summary(finished)["metrics"]["test"]["mae"], rel=1e-5)
    assert "no AAPL" in refused(capsys, main, "evaluate", "--run", finished, "--data", "sample", "--tickers", "AAPL")


def test_runs_that_are_not_there_finished_or_damaged(capsys, tmp_path, finished):
    assert "no run" in refused(capsys, main, "forecast", "--runs-dir", tmp_path, "--ticker", "S00")
    assert "finished" in refused(capsys, main, "train", "--resume", finished)
    run = shutil.copytree(finished, tmp_path / "run")
    best = run / "checkpoints" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:100])
    assert "damaged" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
    (run / "forecaster.json").unlink()
    assert "not finished" in refused(capsys, main, "forecast", "--run", run, "--ticker", "S00")
