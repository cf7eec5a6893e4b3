"""Killed, interrupted, resumed: the run ends where one never stopped does."""

import json
import random
from dataclasses import asdict

import pytest
from resuming import Training, assert_same_end
from stocks_tools import OPTIONS, write_prices

from dl_shared.files import read_json
from dl_shared.runs import read_history, read_summary
from dl_shared.testing import KILLS
from flax_projects.stocks.config import PRESETS, Config
from flax_projects.stocks.train import train


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    folder = write_prices(tmp_path_factory.mktemp("prices"), days=500)
    options = OPTIONS | {"epochs": 3, "chunk_steps": 1, "checkpoint_seconds": 0.0, "data": str(folder)}
    return Training("flax-stocks", options | {"learning_rates": (1e-3, 1e-2)})


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    run = training.whole(tmp_path_factory.mktemp("whole"))
    summary = read_summary(run)
    assert {"train_seconds", "compile_seconds", "examples_per_second", "parameters"} <= summary["cost"].keys()
    assert len([row for row in read_history(run) if row["split"] == "validation"]) == 3
    assert {"skill", "crps", "pinball", "coverage"} <= summary["metrics"]["test"].keys()
    assert summary["metrics"]["uncalibrated"]["coverage"] != summary["metrics"]["test"]["coverage"]
    return run


@pytest.mark.parametrize("turn", range(KILLS))
def test_killed_at_a_random_moment_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, turn):
    run = training.killed_and_resumed(tmp_path, random.uniform(0, 0.5))
    assert_same_end(run, uninterrupted)
    assert read_json(run / "forecaster.json") == read_json(uninterrupted / "forecaster.json")


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.1)
    training.resume(run)
    assert_same_end(run, uninterrupted)


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    options = asdict(PRESETS["quick"]) | {"data": "sample"}
    summary = read_summary(train(Config(**options), runs_dir=tmp_path))
    assert summary["metrics"]["gap_closed"] >= 0.9
    assert json.dumps(summary)
