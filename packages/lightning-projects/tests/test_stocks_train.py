"""Killed, interrupted, resumed, in two processes: the run ends where one never stopped does; what quick reaches."""

import signal

import numpy as np
import pyarrow.parquet as pq
import pytest
from resuming import Training, assert_same_end
from stocks_tools import OPTIONS, small, write_prices

from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.tasks.stocks import load_data
from dl_shared.testing.kills import KILLS, survive
from lightning_projects.fitting import make_trainer
from lightning_projects.stocks.cli import main
from lightning_projects.stocks.data import StocksData
from lightning_projects.stocks.train import make_module, train

EPOCHS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"), days=500)


@pytest.fixture(scope="module")
def training(folder):
    options = {**OPTIONS, "data": folder, "epochs": EPOCHS, "stride": 4, "checkpoint_seconds": 0.0, "adaptation": 0.2}
    return Training("lightning-stocks", options)


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    runs = tmp_path_factory.mktemp("whole")
    assert main(["train", *training.flags(runs)]) == 0
    return find_run("last", runs)


def test_a_run_records_its_cost_its_log_and_its_intervals(uninterrupted):
    summary = read_summary(uninterrupted)
    cost = {"train_seconds", "examples_per_second", "parameters", "peak_memory_bytes", "device", "precision"}
    assert summary["cost"].keys() >= cost
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert all({"loss", "skill"} <= row.keys() for row in rows)
    assert {"mae", "skill", "crps", "coverage"} <= summary["metrics"]["test"].keys()
    assert "diebold_mariano" in summary["metrics"]["baselines"]["arima"]
    assert summary["metrics"]["fixed_intervals"]["coverage"] != summary["metrics"]["test"]["coverage"]
    assert list((uninterrupted / "tensorboard").glob("events.*"))


def test_the_page_says_in_words_what_the_errors_show(uninterrupted):
    page = (uninterrupted / "report.html").read_text()
    for name, finding in read_summary(uninterrupted)["metrics"]["analysis"].items():
        assert "persistence" in finding["sentence"]
        assert finding["sentence"].split(".")[0] in page.replace("&#39;", "'")
        assert (uninterrupted / "plots" / f"errors_by_{name}.png").stat().st_size > 10_000


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_killed_between_two_epochs_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted):
    first = read_history(uninterrupted)[0]["step"]
    run = training.killed_and_resumed(tmp_path, f"checkpoints/last/step={first:08d}.ckpt")
    assert_same_end(run, uninterrupted)


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_one_cut_short_gives_way_to_the_one_before(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.1)
    newest = sorted((run / "checkpoints" / "last").glob("step=*"))[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    assert f"{newest} is damaged" in training.resume(run)
    assert_same_end(run, uninterrupted)


def test_killed_as_one_process_and_resumed_as_two_it_ends_nearly_the_same(folder, tmp_path):
    """Without dropout, of which each process draws its own."""
    options = {**OPTIONS, "data": folder, "dropout": 0.0, "checkpoint_seconds": 0.0}
    training = Training("lightning-stocks", options)
    assert main(["train", *training.flags(tmp_path / "one")]) == 0
    one = find_run("last", tmp_path / "one")
    two, status, _ = training.stopped(tmp_path / "two", 0.0, signal.SIGKILL)
    assert status == -signal.SIGKILL
    training.resume(two, "--devices", "2", "--strategy", "ddp")
    assert len(list(two.parent.iterdir())) == 1
    assert read_summary(two)["cost"]["device"] == "2 x cpu"
    losses = [[row["loss"] for row in read_history(run)] for run in (one, two)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)
    tables = [pq.read_table(run / "predictions.parquet").to_pandas().select_dtypes("number") for run in (one, two)]
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-4)


def test_in_bfloat16_it_learns_what_it_learns_in_float32(folder, tmp_path):
    losses = []
    for precision in ("fp32", "bf16"):
        config = small(folder, dropout=0.0, precision=precision)
        datamodule = StocksData(config, load_data(config))
        quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
        trainer = make_trainer(config, default_root_dir=tmp_path, **quiet)
        trainer.fit(make_module(config, datamodule), datamodule)
        losses.append([float(trainer.callback_metrics[name]) for name in ("train/loss", "validation/loss")])
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.02)


def test_patience_ends_the_run_early_and_the_best_epoch_is_tested(folder, tmp_path):
    """At so high a learning rate, an early epoch is the best."""
    config = small(folder, epochs=9, patience=2, learning_rate=0.3, warmup=0.0)
    run = train(config, runs_dir=tmp_path)
    rows = [row for row in read_history(run) if row["split"] == "validation"]
    best = min(rows, key=lambda row: row["loss"])
    assert len(rows) < 9
    assert len(rows) == best["epoch"] + 2
