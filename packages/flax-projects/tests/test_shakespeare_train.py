"""Killed, interrupted, resumed: the run ends where one never stopped does; and what a quick run reaches."""

import dataclasses

import pytest
from resuming import Training, assert_same_end

from dl_shared.runs import read_history, read_summary
from dl_shared.sample.grammar import make_text
from dl_shared.testing.kills import KILLS, survive
from flax_projects.shakespeare.config import recipe
from flax_projects.shakespeare.train import train

EPOCHS = 3


@pytest.fixture(scope="module", params=["lstm", "transformer"])
def training(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "plays.txt"
    file.write_text("".join(make_text(120, seed=1)))
    return Training(
        "flax-shakespeare",
        {
            "data": file,
            "model": request.param,
            "epochs": EPOCHS,
            "batch_size": 4,
            "segment": 16,
            "context": 8,
            "layers": 1,
            "width": 16,
            "heads": 2,
            "dropout": 0.1,
            "samples": 0,
            "chunk_steps": 2,
            "checkpoint_seconds": 0.0,
        },
    )


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    return training.whole(tmp_path_factory.mktemp("whole"))


def test_a_run_records_its_cost_and_validates_every_epoch(uninterrupted):
    cost = {"train_seconds", "compile_seconds", "examples_per_second", "parameters", "device", "precision"}
    assert read_summary(uninterrupted)["cost"].keys() >= cost
    assert len([row for row in read_history(uninterrupted) if row["split"] == "validation"]) == EPOCHS


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_ctrl_c_writes_a_checkpoint_and_says_how_to_resume(training, tmp_path, uninterrupted):
    run = training.interrupted(tmp_path, 0.2)
    training.resume(run)
    assert_same_end(run, uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_quick_closes_the_gap_on_sample_text(tmp_path, model):
    run = train(dataclasses.replace(recipe("quick", model), data="sample"), runs_dir=tmp_path)
    metrics = read_summary(run)["metrics"]
    assert metrics["gap_closed"] >= 0.9
    assert metrics["test"]["writing"]["temperature 0.8"]["accepted_lines"] > 0.5
