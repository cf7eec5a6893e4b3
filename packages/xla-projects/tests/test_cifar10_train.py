"""Two compilations and no third; killed and resumed, on one device and on four, the run ends as one never stopped."""

import numpy as np
import pytest
from cifar10_tools import small_options, write_tiny_backbone
from resuming import Training, stopped_after
from safetensors.numpy import load_file

from dl_shared import checkpoints
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.tasks import cifar10
from dl_shared.testing.checkpoints import assert_same_end
from dl_shared.testing.kills import KILLS, survive
from xla_projects.cifar10.config import PRESETS, Config
from xla_projects.cifar10.train import train
from xla_projects.device import compilations

STEPS = 10  # of an epoch: 220 pictures less those of validation, by 20


@pytest.fixture(autouse=True, scope="module")
def without_pictures():
    """They have tests of their own, and drawing them takes most of the time of runs as small as these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cifar10, "_save_pictures", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def training(few_images, tmp_path_factory):
    options = small_options(few_images, write_tiny_backbone(tmp_path_factory.mktemp("tiny")))
    options["image_size"] = 40  # shares no graph with other tests, and so can count its own
    return Training("xla-cifar10", options)


@pytest.fixture(scope="module")
def compiled():
    """How many graphs the training of `uninterrupted` compiled, testing included."""
    return {}


@pytest.fixture(scope="module")
def uninterrupted(training, tmp_path_factory, compiled):
    before = compilations()
    run = train(Config(**training.options), runs_dir=tmp_path_factory.mktemp("whole"))
    compiled["first"] = compilations() - before
    return run


def test_a_run_compiles_one_graph_to_train_and_one_to_evaluate(uninterrupted, compiled):
    assert compiled["first"] == 2
    cost = read_summary(uninterrupted)["cost"]
    assert cost["compilations"] == 2
    assert 0 < cost["compile_seconds"] < cost["train_seconds"]
    assert cost.keys() >= {"train_seconds", "examples_per_second", "parameters", "device", "devices", "precision"}


def test_rates_and_views_are_inputs_of_the_graph(training, uninterrupted, tmp_path):
    """Another learning rate, decay, crop and phase of the head: nothing is compiled again."""
    before = compilations()
    others = {"learning_rate": 3e-4, "layer_decay": 0.5, "smallest_crop": 0.5, "augment": ("crop",), "head_epochs": 0}
    train(Config(**{**training.options, **others, "epochs": 1}), runs_dir=tmp_path)
    assert compilations() == before


def test_a_run_validates_every_epoch(uninterrupted):
    rows = read_history(uninterrupted)
    splits = [(row["epoch"], row["split"]) for row in rows]
    assert splits == [(epoch, split) for epoch in (1, 2) for split in ("train", "validation")]
    assert rows[-1]["step"] == 2 * STEPS


def test_while_the_head_learns_alone_the_body_stays_as_it_is(training, tmp_path, monkeypatch):
    with stopped_after(STEPS, monkeypatch):
        train(Config(**training.options), runs_dir=tmp_path)
    run = find_run("last", tmp_path, training.project)
    parts, _ = checkpoints.load(run / "checkpoints" / "last.safetensors")
    before = load_file(f"{training.options['backbone']}/model.safetensors")
    learned = {name for name, value in parts["model"].items() if not np.array_equal(value, before.get(name))}
    assert {name for name in learned if not name.rpartition(".")[2].startswith(("running", "num"))} == {
        "classifier.1.weight",
        "classifier.1.bias",
    }, "but for the statistics of batch normalisation"


@pytest.fixture(scope="module")
def whole(training, tmp_path_factory):
    """A run never stopped, with its pictures."""
    return training.whole(tmp_path_factory.mktemp("with pictures"))


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(training, tmp_path, whole, kills):
    survive(training, kills, tmp_path, whole, assert_same_end)


@pytest.mark.parametrize("step", [4, STEPS, STEPS + 1])
def test_taken_up_after_an_update_of_any_phase_it_ends_the_same(training, tmp_path, uninterrupted, step, monkeypatch):
    """While the head learns alone, between the epochs, after the first update of all layers."""
    with stopped_after(step, monkeypatch):
        train(Config(**training.options), runs_dir=tmp_path)
    run = train(Config(**training.options), resume=find_run("last", tmp_path, training.project))
    assert_same_end(run, uninterrupted)


def test_four_devices_equal_one(training, tmp_path, uninterrupted):
    """Statistics of batch normalisation, the order of sums and batches of other sizes in evaluation included."""
    with training.on_four_devices(tmp_path) as process:
        _, errors = process.communicate()
    assert process.returncode == 0, errors
    run = find_run("last", tmp_path, training.project)
    cost = read_summary(run)["cost"]
    assert (cost["devices"], cost["compilations"]) == (4, 2)
    for ours, theirs in zip(read_history(run), read_history(uninterrupted), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-3)
        assert ours["accuracy"] == pytest.approx(theirs["accuracy"], abs=0.051)


@pytest.mark.slow
def test_the_quick_preset_closes_the_gap_on_sample_data(tmp_path):
    options = vars(PRESETS["quick"]) | {"data": "sample"}
    assert read_summary(train(Config(**options), runs_dir=tmp_path))["metrics"]["gap_closed"] >= 0.9
