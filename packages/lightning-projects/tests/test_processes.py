"""Two processes that train as one: the losses and predictions of one, and one run directory."""

import dataclasses
import json
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from resuming import Training

from dl_shared.runs import find_run, read_history, read_summary
from lightning_projects.cifar10.cli import main


@pytest.fixture
def training(few_images):
    options = {"data": few_images, "epochs": 2, "batch_size": 18, "widths": (8,), "precision": "fp32", "ema": 0.5}
    # Without dropout, of which each process draws its own.
    return Training("lightning-cifar10", {**options, "learning_rate": 0.2, "checkpoint_seconds": 0.0, "dropout": 0.0})


@pytest.fixture
def one(training, tmp_path, capsys):
    assert main(["train", *training.flags(tmp_path / "one")]) == 0
    capsys.readouterr()
    return find_run("last", tmp_path / "one")


def assert_same(run, reference):
    """The losses and predictions of both, up to the order of sums."""
    losses = [[row["loss"] for row in read_history(path)] for path in (run, reference)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)
    tables = [pq.read_table(path / "predictions.parquet").to_pandas() for path in (run, reference)]
    tables = [table.select_dtypes("number") for table in tables]
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


def test_two_processes_started_by_lightning_equal_one(training, one, tmp_path):
    flags = training.flags(tmp_path / "two", devices=2, strategy="ddp")
    done = subprocess.run([*training.script, "train", *flags, "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = find_run("last", tmp_path / "two")
    assert json.loads(done.stdout) == read_summary(two)["metrics"], "the one that follows prints nothing"
    assert len(list(two.parent.iterdir())) == 1
    assert read_summary(two)["cost"]["device"] == "2 x cpu"
    assert_same(two, one)


def test_killed_as_two_processes_and_resumed_as_one_it_ends_nearly_the_same(training, one, tmp_path):
    together = dataclasses.replace(training, options={**training.options, "devices": 2, "strategy": "ddp"})
    run, _, _ = together.stopped(tmp_path / "two", 0.2, signal.SIGKILL)
    training.resume(run, "--devices", "1", "--strategy", "auto")
    assert read_summary(run)["cost"]["device"] == "cpu"
    assert_same(run, one)


@pytest.mark.slow
def test_two_processes_started_by_torchrun_equal_one(training, one, tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    flags = training.flags(tmp_path / "two", devices=2, strategy="ddp")
    command = [*launcher, "lightning_projects.cifar10.cli", "train", *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    two = find_run("last", tmp_path / "two")
    assert len(list(two.parent.iterdir())) == 1
    assert_same(two, one)


def test_a_batch_that_two_processes_cannot_share(training, tmp_path):
    flags = training.flags(tmp_path / "two", devices=2, strategy="ddp", batch_size=9)
    done = subprocess.run([*training.script, "train", *flags], capture_output=True, text=True)
    assert done.returncode == 2
    assert "error: batches of 9 cannot be split over 2 processes" in done.stderr
    assert "Traceback" not in done.stderr
