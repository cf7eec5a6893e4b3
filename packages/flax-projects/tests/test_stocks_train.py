"""Killed, interrupted, resumed: the run ends where one never stopped does."""

import pytest
from resuming import Training, assert_same_end
from stocks_tools import OPTIONS, write_prices

from dl_shared.runs import read_history, read_summary
from dl_shared.testing.kills import KILLS, survive


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


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


@pytest.mark.slow
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.1)
    training.resume(run)
    assert_same_end(run, uninterrupted)
