"""Compilations counted, padding counted; killed and resumed, the run ends as one never stopped; four devices as one."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from imdb_tools import SMALL
from imdb_tools import few_reviews as few_reviews
from imdb_tools import tiny_bert as tiny_bert
from resuming import Training, stopped_after

from dl_shared.data.backbones import embedded_folder
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive
from xla_projects import checkpoints
from xla_projects.device import compilations
from xla_projects.imdb.config import PRESETS, Config
from xla_projects.imdb.model import load_pretrained
from xla_projects.imdb.train import train

EPOCHS, STEPS = 2, 7


@pytest.fixture(scope="module")
def training(few_reviews, tiny_bert):
    options = {"data": str(few_reviews), "model": str(tiny_bert), **SMALL, "epochs": EPOCHS}
    more = {"max_length": 20, "row_length": 40, "attention_dropout": 0.2, "checkpoint_seconds": 0.0}
    return Training("xla-imdb", options | more)


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory):
    """A run in this process, which has compiled nothing of these shapes before."""
    before = compilations()
    run = train(Config(**training.options), runs_dir=tmp_path_factory.mktemp("whole"))
    assert compilations() - before == 2, "one for training, one for validation and test together"
    return run


def test_a_run_compiles_twice_and_hardly_pads(uninterrupted):
    cost = read_summary(uninterrupted)["cost"]
    assert cost["compilations"] == 2
    assert cost["padding"] < 0.08
    assert cost.keys() >= {"train_seconds", "examples_per_second", "parameters", "device", "devices", "precision"}


def test_every_epoch_is_validated_and_every_review_counted(uninterrupted):
    rows = read_history(uninterrupted)
    assert [(row["epoch"], row["split"]) for row in rows] == [
        (epoch, split) for epoch in range(1, EPOCHS + 1) for split in ("train", "validation")
    ]
    assert rows[-1]["step"] == EPOCHS * STEPS
    assert rows[0]["accuracy"] * 108 == pytest.approx(round(rows[0]["accuracy"] * 108), abs=1e-3)
    pictures = {path.stem for path in (uninterrupted / "plots").glob("*.png")}
    assert pictures >= {"labels", "probabilities", "errors_by_length", "confusion", "mistakes", "curves", "lengths"}


def test_the_lengths_of_reviews_instead_make_six_compilations_at_most(training, tmp_path):
    before = compilations()
    run = train(Config(**training.options | {"batches": "lengths", "epochs": 1, "layers": 1}), runs_dir=tmp_path)
    assert 2 < compilations() - before <= 6
    assert read_summary(run)["cost"]["padding"] < 0.25, "few reviews, whose last steps are hardly filled"


@pytest.mark.parametrize("step", [3, STEPS, STEPS + 2])
def test_taken_up_after_an_update_of_any_epoch_it_ends_the_same(training, tmp_path, uninterrupted, step, monkeypatch):
    with stopped_after(step, monkeypatch):
        train(Config(**training.options), runs_dir=tmp_path)
    run = train(Config(**training.options), resume=find_run("last", tmp_path, training.project))
    assert_same_end(run, uninterrupted)


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, uninterrupted, kills):
    survive(training, kills, tmp_path, uninterrupted, assert_same_end)


def test_a_run_begun_on_one_device_ends_on_four_as_it_would_on_one(training, tmp_path, monkeypatch):
    """Without dropout, of which four devices draw another."""
    options = training.options | {"dropout": 0.0, "attention_dropout": 0.0}
    one = train(Config(**options), runs_dir=tmp_path / "one")
    with stopped_after(3, monkeypatch):
        train(Config(**options), runs_dir=tmp_path / "four")
    four = find_run("last", tmp_path / "four", training.project)
    training.resume(four, "--devices", "4")
    cost = read_summary(four)["cost"]
    assert cost["devices"] == 4
    assert cost["compilations"] == 2
    for name in ("loss", "accuracy"):
        values = [[row[name] for row in read_history(path)] for path in (one, four)]
        np.testing.assert_allclose(values[0], values[1], atol=1e-5)
    tables = [pq.read_table(path / "predictions.parquet").to_pandas()["p(positive)"] for path in (one, four)]
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-4)


def test_what_is_frozen_keeps_its_weights_and_all_else_learns(training, tmp_path, tiny_bert):
    """Of two layers, embeddings and the first keep theirs."""
    config = Config(**training.options | {"frozen": 2, "epochs": 1})
    before = load_pretrained(config, [])[0].state_dict()
    run = train(config, runs_dir=tmp_path)
    after = checkpoints.load(run / "checkpoints" / "best.safetensors")[0]["model"]
    moved = {name for name, value in before.items() if not np.array_equal(value.numpy(), after[name])}
    assert moved == {name for name in before if "layer.1." in name or name.startswith("classifier")}


@pytest.mark.slow
@pytest.mark.skipif(embedded_folder() is None, reason="the extra `embedded` is not installed")
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    options = vars(PRESETS["quick"]) | {"data": "sample"}
    assert read_summary(train(Config(**options), runs_dir=tmp_path))["metrics"]["gap_closed"] >= 0.9
