"""What holds of every console script of a task, as classes of tests to derive from.

    class TestScript(ImageScript):
        package = "flax_projects.cifar10"
        small = ("--epochs", 1, "--batch-size", 18)

The module with the derived class has a fixture `finished`, the directory of a finished run, and one for its data.
"""

import importlib
import re
import shutil
import subprocess
import sys
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dl_shared.data.image_files import read_image_files
from dl_shared.runs import read_summary
from dl_shared.sample.prices import SIGNAL
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.testing import answered, refused
from dl_shared.tuning import Float


class Script:
    """Of any task."""

    package: ClassVar[str]
    """Of the project, such as `flax_projects.cifar10`."""
    small: ClassVar[tuple[object, ...]]
    """Options of a training that takes a second, beside `--data`."""
    use: ClassVar[tuple[object, ...]]
    """A verb that needs a run, with its arguments."""

    @property
    def project(self) -> str:
        """The console script's name."""
        framework, task = self.package.split(".")
        return f"{framework.partition('_')[0]}-{task}"

    @property
    def main(self) -> Any:
        return importlib.import_module(f"{self.package}.cli").main

    def test_the_preset_for_a_cpu_is_the_default(self):
        assert next(iter(importlib.import_module(f"{self.package}.config").PRESETS)) == "cpu"

    def test_runs_that_are_not_there(self, capsys, tmp_path):
        verb, *arguments = self.use
        assert "no run" in refused(capsys, self.main, verb, "--runs-dir", tmp_path, *arguments)
        assert "not a run" in refused(capsys, self.main, "evaluate", "--run", tmp_path, "--data", "sample")

    def test_a_finished_run_is_not_resumed(self, capsys, finished):
        assert "finished" in refused(capsys, self.main, "train", "--resume", finished)

    def no_run_for(self, capsys, tmp_path, *arguments: object) -> str:
        """The line that refuses a training, which leaves no run behind."""
        line = refused(capsys, self.main, "train", *arguments, "--runs-dir", tmp_path)
        assert not list(tmp_path.glob(f"{self.project}/*"))
        return line


class ImageScript(Script):
    """Of a script that classifies images; the data are the fixture `few_images`."""

    use = ("predict", "x.png")

    def test_data_that_are_not_there(self, capsys, tmp_path):
        assert "does not exist" in self.no_run_for(capsys, tmp_path, "--data", tmp_path / "nothing")

    def test_a_truncated_parquet_file(self, capsys, tmp_path, few_images):
        damaged = shutil.copytree(few_images, tmp_path / "data")
        file = damaged / "train-00000-of-00001.parquet"
        file.write_bytes(file.read_bytes()[:5000])
        assert file.name in self.no_run_for(capsys, tmp_path, "--data", damaged)

    def test_fewer_images_than_a_batch(self, capsys, tmp_path, few_images):
        given = ["--data", few_images, "--batch-size", 5000]
        assert "no batch of 5000" in self.no_run_for(capsys, tmp_path, *given)

    def test_a_loss_that_is_not_finite_ends_the_run(self, capsys, tmp_path, few_images):
        given = ["--data", few_images, *self.small, "--learning-rate", "1e30", "--runs-dir", tmp_path]
        assert "smaller --learning-rate" in refused(capsys, self.main, "train", *given)

    def test_predict_gives_a_row_for_each_image_in_order(self, capsys, tmp_path, finished):
        files = [tmp_path / name for name in ("dark.png", "bright.jpg", "grey.png")]
        Image.new("RGB", (32, 32), (10, 10, 10)).save(files[0])
        Image.new("RGB", (32, 32), (190, 190, 190)).save(files[1])
        Image.new("L", (40, 64), 100).save(files[2])
        assert self.main(["predict", "--run", str(finished), *map(str, files)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[1] for line in lines] == [str(file) for file in files]
        predictor = importlib.import_module(f"{self.package}.predict").load_predictor(finished)
        rows = predictor(read_image_files(files, 32))
        np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
        assert f"confidence {rows[2].max():.4f}" in lines[2]

    def test_files_that_are_no_images(self, capsys, tmp_path, finished):
        (tmp_path / "notes.png").write_text("not a picture")
        for name in ("notes.png", "nothing.png"):
            assert name in refused(capsys, self.main, "predict", "--run", finished, tmp_path / name)

    def test_the_test_predictions_come_back_from_the_checkpoint(self, capsys, finished, few_images):
        again = answered(capsys, self.main, "evaluate", "--run", finished, "--data", few_images)
        assert again["test"]["accuracy"] == read_summary(finished)["metrics"]["test"]["accuracy"]
        assert list((finished / "evaluations").iterdir())

    def test_a_run_without_a_checkpoint(self, capsys, tmp_path, finished):
        run = shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("best", "best.*"))
        Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
        assert "no checkpoint yet" in refused(capsys, self.main, "predict", "--run", run, tmp_path / "a.png")

    def test_tune_tries_options_and_says_which_were_best(self, capsys, tmp_path, few_images):
        given = ["--data", few_images, *self.small, "--epochs", 2, "--trials", 1, "--runs-dir", tmp_path]
        found = answered(capsys, self.main, "tune", *given)
        searched = importlib.import_module(f"{self.package}.tune").SPACE["learning_rate"]
        assert found["trials"] == {"complete": 1}
        assert searched.low <= found["best"]["learning_rate"] <= searched.high
        assert 0 <= found["best_value"] <= 1

    @pytest.mark.slow
    def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_space(self, tmp_path, few_images):
        if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode:
            pytest.skip("mounting is not permitted here")
        train = f"{sys.executable} -m {self.package}.cli train"
        options = " ".join(map(str, ("--data", few_images, *self.small, "--runs-dir", tmp_path)))
        steps = (
            f"mount -t tmpfs -o size=40k none {tmp_path}",
            f"{train} {options} 2> {tmp_path.parent}/errors || echo status $?",
            f"mount -o remount,size=50m {tmp_path}",
            f"{train} --resume {tmp_path}/{self.project}/*",
        )
        result = subprocess.run(["unshare", "-m", "sh", "-c", "; ".join(steps)], capture_output=True, text=True)
        errors = (tmp_path.parent / "errors").read_text()
        assert "status 2" in result.stdout
        resume = rf"^error: No space left on device.*; resume with: {self.project} train --resume"
        assert re.search(resume, errors, re.M)
        assert "Traceback" not in errors
        assert "report.html" in result.stdout, result.stderr


class StockScript(Script):
    """Of a script that forecasts prices; the data are the fixture `folder`, and `finished` kept S02 for testing."""

    use = ("forecast", "--ticker", "S00")

    def test_defaults_agree_with_what_they_repeat(self):
        assert importlib.import_module(f"{self.package}.config").PRESETS["cpu"].sample_signal == SIGNAL
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
            (["--stride", 100000], "use a smaller --batch-size"),
            (["--exogenous", "none.csv"], "none.csv does not exist"),
            (["--device", "tpu"], "--device"),
            (["--precision", "fp16"], "fp16"),
        ],
        ids=lambda value: "_".join(map(str, value)) if isinstance(value, list) else "",
    )
    def test_options_that_cannot_work_leave_one_line_and_no_run(self, capsys, tmp_path, folder, arguments, message):
        assert message in self.no_run_for(capsys, tmp_path, "--data", folder, *self.small, *arguments)

    def test_a_loss_that_is_not_finite_ends_the_run(self, capsys, tmp_path, folder):
        given = ["--data", folder, *self.small, "--learning-rate", "1e30", "--epochs", 2, "--runs-dir", tmp_path]
        assert "smaller --learning-rate" in refused(capsys, self.main, "train", *given)

    def test_no_network_for_the_hub(self, capsys, tmp_path, monkeypatch):
        monkeypatch.setenv("DL_YAHOO_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("DL_CACHE_DIR", str(tmp_path))
        assert "--data sample" in self.no_run_for(capsys, tmp_path, "--data", "hub", "--tickers", "AAPL")

    def test_a_history_shorter_than_the_window(self, capsys, tmp_path, finished, folder):
        pd.read_csv(folder / "S01.csv").iloc[-70:].to_csv(tmp_path / "IPO.csv", index=False)
        line = refused(capsys, self.main, "forecast", "--run", finished, "--data", tmp_path, "--ticker", "IPO")
        assert "fewer than the 12 that a forecast needs" in line

    def test_forecasts_of_a_company_trained_on_one_kept_apart_and_a_new_one(self, capsys, tmp_path, finished, folder):
        shutil.copy(folder / "S00.csv", tmp_path / "NEW.csv")
        for options in (["--ticker", "S00"], ["--ticker", "S02"], ["--data", tmp_path, "--ticker", "NEW"]):
            rows = answered(capsys, self.main, "forecast", "--run", finished, *options)["rows"]
            assert [row["days_ahead"] for row in rows] == [1, 2, 3]
            dates = [pd.Timestamp(row["date"]) for row in rows]
            assert all(date.weekday() < 5 for date in dates)
            assert pd.Timestamp(rows[0]["known_until"]) < dates[0] < dates[1] < dates[2]
            assert all(row["lower"] < row["price"] < row["upper"] for row in rows)
            assert all(row.get("actual") is None for row in rows)
            picture = finished / "plots" / f"forecast-{options[-1]}-{rows[0]['known_until']}.png"
            assert picture.stat().st_size > 10_000
        assert "no prices for XYZ" in refused(capsys, self.main, "forecast", "--run", finished, "--ticker", "XYZ")

    def test_evaluate_gives_the_test_scores_back_and_scores_other_companies(self, capsys, finished, folder):
        scores = read_summary(finished)["metrics"]["test"]
        given = ["evaluate", "--run", finished, "--data"]
        again = answered(capsys, self.main, *given, folder, "--tickers", "S02")["test"]
        assert again["mae"] == pytest.approx(scores["mae"], rel=1e-5)
        assert again["coverage"] == pytest.approx(scores["coverage"], abs=1e-3)
        assert answered(capsys, self.main, *given, folder)["test"]["mae"] != again["mae"]
        assert "no AAPL" in refused(capsys, self.main, *given, "sample", "--tickers", "AAPL")

    def test_tune_tries_options_and_says_which_were_best(self, capsys, tmp_path, folder, monkeypatch):
        monkeypatch.setattr(f"{self.package}.tune.SPACE", {"dropout": Float(0.0, 0.4)})
        given = ["--data", folder, *self.small, "--trials", 1, "--runs-dir", tmp_path]
        found = answered(capsys, self.main, "tune", *given)
        assert found["trials"] == {"complete": 1}
        assert 0 <= found["best"]["dropout"] <= 0.4
        assert 0 < found["best_value"] < 2
