"""Killed, interrupted, resumed: the run ends where one never stopped does; and what a quick run reaches."""

import signal
from dataclasses import replace

import numpy as np
import pytest
from resuming import Training, assert_same_end

from dl_shared.runs import read_config, read_history, read_summary
from dl_shared.testing.kills import KILLS, survive
from flax_projects.cifar10.config import PRESETS, Config
from flax_projects.cifar10.train import train

EPOCHS = 3


@pytest.fixture(scope="module")
def training(few_images):
    return Training(
        "flax-cifar10",
        {
            "data": few_images,
            "epochs": EPOCHS,
            "batch_size": 18,
            "model": "cnn",
            "widths": (4,),
            "chunk_steps": 1,
            "checkpoint_seconds": 0.0,
            "crop": 2,
            "ema": 0.5,
            "precision": "fp32",
            "learning_rate": 0.02,
        },
    )


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


def test_a_run_records_its_cost_and_validates_every_epoch(uninterrupted):
    cost = {"train_seconds", "compile_seconds", "examples_per_second", "parameters", "peak_memory_bytes", "device"}
    assert read_summary(uninterrupted)["cost"].keys() >= cost | {"precision"}
    assert len([row for row in read_history(uninterrupted) if row["split"] == "validation"]) == EPOCHS


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.3)
    training.resume(run)
    assert_same_end(run, uninterrupted)


def test_killed_on_two_devices_and_resumed_on_one_it_ends_nearly_the_same(
    training, tmp_path, uninterrupted, monkeypatch
):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=2")
    run, _, _ = training.stopped(tmp_path, 0.3, signal.SIGKILL)
    training.resume(run, "--devices", "1")
    losses = [[row["loss"] for row in read_history(path)] for path in (run, uninterrupted)]
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-4)
    assert read_config(run, Config).devices == 1
    assert read_summary(run)["cost"]["device"] == "cpu"


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    run = train(replace(PRESETS["quick"], data="sample"), runs_dir=tmp_path)
    assert read_summary(run)["metrics"]["gap_closed"] >= 0.9
