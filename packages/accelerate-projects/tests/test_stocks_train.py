"""Killed, interrupted, resumed, in two processes: the run ends where one never stopped does; what quick reaches."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from resuming import Training
from stocks_tools import OPTIONS, write_headlines, write_prices

from accelerate_projects.stocks.cli import main
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive

EPOCHS = 3


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    more = {"epochs": EPOCHS, "stride": 4, "accumulate": 2, "checkpoint_seconds": 0.0, "adaptation": 0.2}
    data = {
        "data": write_prices(folder / "prices", days=500),
        "headlines": write_headlines(folder / "news.csv", days=500),
    }
    return Training("accelerate-stocks", {**OPTIONS, **more, **data})


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    runs = tmp_path_factory.mktemp("whole")
    assert main(["train", *training.flags(runs)]) == 0
    return find_run("last", runs)


def test_a_run_records_its_cost_its_log_its_inputs_and_its_intervals(uninterrupted):
    summary = read_summary(uninterrupted)
    assert summary["cost"].keys() >= {"train_seconds", "examples_per_second", "parameters", "device", "processes"}
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert all({"loss", "skill"} <= row.keys() for row in rows)
    assert summary["data"]["features"][-2:] == ["news", "tone"]
    assert any(note.startswith("headlines from") for note in summary["data"]["repairs"])
    assert {"mae", "skill", "crps", "coverage"} <= summary["metrics"]["test"].keys()
    assert "diebold_mariano" in summary["metrics"]["baselines"]["arima"]
    assert summary["metrics"]["fixed_intervals"]["coverage"] != summary["metrics"]["test"]["coverage"]


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.05)
    training.resume(run)
    assert_same_end(run, uninterrupted)


def test_two_processes_equal_one(training, tmp_path):
    options = {"dropout": 0.0}  # of which each process draws its own
    assert main(["train", *training.flags(tmp_path / "one", **options)]) == 0
    with training.launch(tmp_path / "two", processes=2, **options) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    one, two = (find_run("last", tmp_path / name) for name in ("one", "two"))
    assert read_summary(two)["cost"]["processes"] == 2
    assert len(list(two.parent.iterdir())) == 1
    losses = [[row["loss"] for row in read_history(run)] for run in (one, two)]
    np.testing.assert_allclose(*losses, rtol=1e-4)
    tables = [pq.read_table(run / "predictions.parquet").to_pandas().select_dtypes("number") for run in (one, two)]
    np.testing.assert_allclose(*tables, rtol=1e-4)
