"""Killed, interrupted, resumed: the run ends where one never stopped does; two processes equal one."""

import shutil
import signal
from dataclasses import replace

import imdb_tools
import numpy as np
import pyarrow.parquet as pq
import pytest
from imdb_tools import SMALL
from resuming import Training, assert_same_end

from dl_shared.data.backbones import embedded_folder
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.kills import KILLS, survive
from lightning_projects.imdb.cli import main
from lightning_projects.imdb.config import PRESETS
from lightning_projects.imdb.train import train

few_reviews, tiny_bert = imdb_tools.few_reviews, imdb_tools.tiny_bert

EPOCHS = 6
STEPS = 7  # of an epoch: 27 parts of 4 reviews, 4 parts a step, so that the last step has 3


@pytest.fixture(scope="module")
def training(few_reviews, tiny_bert):
    options = {"data": few_reviews, "model": tiny_bert, **SMALL, "epochs": EPOCHS}
    return Training("lightning-imdb", options | {"attention_dropout": 0.2, "checkpoint_seconds": 0.0})


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


def test_a_run_records_its_cost_and_logs_every_epoch(uninterrupted):
    cost = {"train_seconds", "examples_per_second", "parameters", "peak_memory_bytes", "device", "precision"}
    assert read_summary(uninterrupted)["cost"].keys() >= cost
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert rows[-1]["step"] == EPOCHS * STEPS
    assert rows[-2].keys() == rows[-1].keys()
    assert rows[-1].keys() == {"step", "epoch", "split", "loss", "accuracy", "precision", "recall", "f1"}


def test_lightning_logs_beside_it(uninterrupted):
    header = (uninterrupted / "csv" / "from-step-0" / "metrics.csv").read_text().splitlines()[0]
    assert "validation/f1" in header
    assert "lr-AdamW/embeddings, biases" in header
    assert list((uninterrupted / "tensorboard").glob("events.*"))


def test_the_run_says_which_reviews_were_misjudged(uninterrupted):
    predictions = pq.read_table(uninterrupted / "predictions.parquet").to_pandas()
    wrong = (predictions["label"] != predictions["predicted"]).sum()
    assert len((uninterrupted / "misclassified.csv").read_text().splitlines()) == wrong + 1
    assert (uninterrupted / "plots" / "mistakes.png").exists()
    assert read_summary(uninterrupted)["metrics"]["baseline"]["f1"] > 0


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_killed_between_two_epochs_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted):
    assert_same_end(training.killed_and_resumed(tmp_path, f"checkpoints/last/step={STEPS:08d}.ckpt"), uninterrupted)


def test_killed_before_its_first_checkpoint_it_begins_anew_with_the_pretrained_weights(
    training, tmp_path, uninterrupted
):
    run, _, _ = training.stopped(tmp_path, 0.0, signal.SIGKILL)
    shutil.rmtree(run / "checkpoints" / "last")
    training.resume(run)
    assert_same_end(run, uninterrupted)


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_the_model_is_needed_no_more(training, tmp_path, uninterrupted, tiny_bert):
    run = training.interrupted(tmp_path, 0.1)
    away = tiny_bert.rename(tiny_bert.with_name("moved"))
    try:
        training.resume(run)
    finally:
        away.rename(tiny_bert)
    assert_same_end(run, uninterrupted)


def test_killed_as_one_process_and_resumed_as_two_it_ends_nearly_the_same(few_reviews, tiny_bert, tmp_path):
    """Without dropout, of which each process draws its own; the last part of an epoch has reviews for one only."""
    options = {"data": few_reviews, "model": tiny_bert, **SMALL, "dropout": 0.0, "train_reviews": 105}
    training = Training("lightning-imdb", {**options, "checkpoint_seconds": 0.0})
    assert main(["train", *training.flags(tmp_path / "one")]) == 0
    one = find_run("last", tmp_path / "one")
    two, status, _ = training.stopped(tmp_path / "two", 0.0, signal.SIGKILL)
    assert status == -signal.SIGKILL
    training.resume(two, "--devices", "2", "--strategy", "ddp")
    assert len(list(two.parent.iterdir())) == 1
    assert read_summary(two)["cost"]["device"] == "2 x cpu"
    assert read_summary(two)["data"]["rows"]["train"] == 105
    for name in ("loss", "accuracy"):
        values = [[row[name] for row in read_history(path)] for path in (one, two)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-5)
    tables = [pq.read_table(path / "predictions.parquet").to_pandas()["p(positive)"] for path in (one, two)]
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


@pytest.mark.slow
@pytest.mark.skipif(embedded_folder() is None, reason="the extra `embedded` is not installed")
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    run = train(replace(PRESETS["quick"], data="sample"), runs_dir=tmp_path)
    assert read_summary(run)["metrics"]["gap_closed"] >= 0.9
