"""Killed and resumed, in two processes: the run ends as one never stopped."""

import numpy as np
import pytest
from cifar10_tools import write_tiny_backbone
from resuming import Training

from accelerate_projects import checkpoints
from accelerate_projects.cifar10.config import PRESETS, Config
from accelerate_projects.cifar10.train import train
from accelerate_projects.keeper import Keeper
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive

EPOCHS = 3


@pytest.fixture(scope="module")
def training(few_images, tmp_path_factory):
    options = {
        "data": str(few_images),
        "backbone": str(write_tiny_backbone(tmp_path_factory.mktemp("tiny"))),
        "epochs": EPOCHS,
        "batch_size": 16,
        "accumulate": 2,
        "label_share": 0.5,
        "ema": 0.5,
        "augment": ("crop", "flip", "erase"),
        "precision": "fp32",
        "learning_rate": 0.02,  # a larger one makes too much of the order of sums
        "checkpoint_seconds": 0.0,
    }
    return Training("accelerate-cifar10", options)


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return train(Config(**training.options), runs_dir=tmp_path_factory.mktemp("whole"))


def test_a_run_records_its_cost_and_validates_every_epoch(uninterrupted):
    assert read_summary(uninterrupted)["cost"].keys() >= {
        "train_seconds",
        "examples_per_second",
        "parameters",
        "training_memory_bytes",
        "device",
        "precision",
        "processes",
    }
    rows = read_history(uninterrupted)
    splits = [(row["epoch"], row["split"]) for row in rows]
    assert splits == [(epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")]
    assert rows[-1]["step"] == EPOCHS * (200 // 16), "half of the labels, and all of the updates"


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


class Stopped(BaseException):
    """Ends a training where a test wants it."""


@pytest.mark.parametrize("step", [5, 12, 13, 30])
def test_taken_up_after_an_update_of_any_epoch_it_ends_the_same(training, tmp_path, uninterrupted, step, monkeypatch):
    """While the head learns alone, after that epoch, when all layers learn."""
    save = Keeper.save

    def saved_for_the_last_time(keeper):
        save(keeper)
        if keeper.position.step == step:
            raise Stopped

    monkeypatch.setattr(Keeper, "save", saved_for_the_last_time)
    with pytest.raises(Stopped):
        train(Config(**training.options), runs_dir=tmp_path)
    monkeypatch.undo()
    run = train(Config(**training.options), resume=find_run("last", tmp_path, training.project))
    assert_same_end(run, uninterrupted)


def test_two_processes_equal_one(training, tmp_path, uninterrupted):
    """Statistics of batch normalisation, augmentation and the head that learns alone at first included."""
    with training.launch(tmp_path, processes=2) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert errors.count("labelled pictures") == 1, "one process speaks for both"
    run = find_run("last", tmp_path, training.project)
    assert read_summary(run)["cost"]["processes"] == 2
    for ours, theirs in zip(read_history(run), read_history(uninterrupted), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.051)
    one, other = (
        checkpoints.load(path / "checkpoints" / "last.safetensors")[0]["average"] for path in (run, uninterrupted)
    )
    for name, value in one.items():
        np.testing.assert_allclose(value.numpy(), other[name].numpy(), rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    options = vars(PRESETS["quick"]) | {"data": "sample"}
    assert read_summary(train(Config(**options), runs_dir=tmp_path))["metrics"]["gap_closed"] >= 0.9
