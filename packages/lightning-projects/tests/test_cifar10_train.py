"""Killed, interrupted, resumed: the run ends where one never stopped does; and what a quick run reaches."""

from dataclasses import replace

import pytest
from resuming import Training, assert_same_end

from dl_shared.runs import read_history, read_summary
from dl_shared.testing.kills import KILLS, survive
from lightning_projects.cifar10.config import PRESETS, Config
from lightning_projects.cifar10.train import train

EPOCHS = 3


@pytest.fixture(scope="module")
def training(few_images):
    return Training(
        "lightning-cifar10",
        {
            "data": few_images,
            "epochs": EPOCHS,
            "batch_size": 18,
            "widths": (8,),
            "checkpoint_seconds": 0.0,
            "ema": 0.5,
            "precision": "fp32",
            "learning_rate": 0.5,
            "cutout": 4,
            "dropout": 0.3,
        },
    )


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


def test_a_run_records_its_cost_and_validates_every_epoch(uninterrupted):
    cost = {"train_seconds", "examples_per_second", "parameters", "peak_memory_bytes", "device", "precision"}
    assert read_summary(uninterrupted)["cost"].keys() >= cost
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert rows[-1]["step"] == EPOCHS * 11


def test_lightning_logs_beside_it(uninterrupted):
    header = (uninterrupted / "csv" / "from-step-0" / "metrics.csv").read_text().splitlines()[0]
    assert "validation/accuracy" in header
    assert "lr-SGD" in header
    assert list((uninterrupted / "tensorboard").glob("events.*"))


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_killed_between_two_epochs_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted):
    assert_same_end(training.killed_and_resumed(tmp_path, "checkpoints/last/step=00000011.ckpt"), uninterrupted)


def test_ctrl_c_writes_a_checkpoint_and_one_cut_short_gives_way_to_the_one_before(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.2)
    newest = sorted((run / "checkpoints" / "last").glob("step=*"))[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    said = training.resume(run)
    assert f"{newest} is damaged" in said
    assert "Traceback" not in said
    assert_same_end(run, uninterrupted)


def test_patience_ends_the_run_early(few_images, tmp_path):
    """With a learning rate of next to nothing, no epoch is better than the first."""
    options = {"batch_size": 18, "widths": (4,), "precision": "fp32", "learning_rate": 1e-9, "bias_factor": 1.0}
    config = Config(data=str(few_images), epochs=9, patience=2, ema=0.0, warmup=0.0, **options)
    run = train(config, runs_dir=tmp_path)
    assert max(row["epoch"] for row in read_history(run)) < 9


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    run = train(replace(PRESETS["quick"], data="sample"), runs_dir=tmp_path)
    assert read_summary(run)["metrics"]["gap_closed"] >= 0.9
