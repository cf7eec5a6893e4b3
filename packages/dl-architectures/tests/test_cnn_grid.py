"""The grid: stopped and killed it loses nothing, one failing cell ends no other, several processes do what one does."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from resuming import Comparison

from dl_architectures import checkpoints
from dl_architectures.cnn_compare import cell as training
from dl_architectures.cnn_compare import grid
from dl_architectures.cnn_compare.cli import main
from dl_architectures.cnn_compare.config import AUGMENTATIONS, Augmentation, Cell, Config
from dl_architectures.cnn_compare.data import TrainImages, load_data
from dl_shared.data.image_sets import Split
from dl_shared.errors import LostWorkerError
from dl_shared.files import write_json
from dl_shared.runs import read_history, read_summary
from dl_shared.testing import help_without_frameworks, refused
from dl_shared.testing.kills import KILLS, survive

CPU = torch.device("cpu")
CELLS = (Cell(0, "cifar10", "lenet"), Cell(0, "cifar10", "resnet20"))


@pytest.fixture(scope="module")
def options(few_images):
    return {
        "data": str(few_images),
        "datasets": ("cifar10",),
        "architectures": ("lenet", "resnet20"),
        "seeds": 1,
        "epochs": 2,
        "batch_size": 16,
        "threads": 1,
        "checkpoint_seconds": 0.0,
    }


@pytest.fixture(scope="module")
def config(options):
    return Config(**options)


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    return grid.train(config, runs_dir=tmp_path_factory.mktemp("whole"))


def assert_same_cells(run, reference, cells=CELLS):
    """Predictions, best weights and log are the same, bit for bit."""
    for cell in cells:
        found, expected = run / cell.folder, reference / cell.folder
        np.testing.assert_array_equal(np.load(found / "predictions.npy"), np.load(expected / "predictions.npy"))
        assert read_history(found) == read_history(expected)
        one, other = (checkpoints.load(folder / "best.safetensors")[0]["model"] for folder in (found, expected))
        assert all(torch.equal(one[name], other[name]) for name in one)
        assert not (found / "last.safetensors").exists()


def test_the_page_has_a_table_for_each_data_set(finished):
    test = read_summary(finished)["metrics"]["test"]
    assert set(test["cifar10"]) == {"lenet", "resnet20"}
    best = next(iter(test["cifar10"].values()))
    assert test["accuracy"] == best["accuracy"] == max(row["accuracy"] for row in test["cifar10"].values())
    assert test["leads"]["cifar10"]["lead"] >= 0
    pictures = {path.stem for path in (finished / "plots").glob("*.png")}
    names = ("curves", "pareto", "confusion", "only_right", "filters")
    assert pictures == {"accuracy", *(f"{name}_cifar10" for name in names)}
    assert "resnet20" in (finished / "report.html").read_text()


def test_the_run_costs_what_its_cells_cost_and_has_the_parameters_of_its_best_network(finished):
    summary = read_summary(finished)
    cost, rows = summary["cost"], summary["metrics"]["test"]["cifar10"]
    results = [json.loads((finished / cell.folder / "result.json").read_text()) for cell in CELLS]
    assert cost["train_seconds"] == sum(result["train_seconds"] for result in results)
    rates = [result["images_per_second"] for result in results]
    assert min(rates) <= cost["examples_per_second"] <= max(rates)
    assert cost["parameters"] == next(iter(rows.values()))["parameters"]
    assert (cost["device"], cost["precision"]) == (results[0]["device"], "bf16")


@pytest.mark.parametrize("architecture", ["lenet", "resnet20"])
@pytest.mark.parametrize("updates", [3, 11, 12, 17])
def test_stopped_after_any_update_a_cell_ends_the_same(config, finished, tmp_path, architecture, updates):
    """Within the first epoch, at its end, and within the second."""
    cell = Cell(0, "cifar10", architecture)
    data = load_data(config, "cifar10")
    asked = []

    def stop():
        asked.append(1)
        return len(asked) == updates

    folder = tmp_path / cell.folder
    with pytest.raises(training.Stopped):
        training.train_cell(config, cell, folder, data, CPU, stop)
    training.train_cell(config, cell, folder, data, CPU, lambda: False)
    assert len(asked) == updates
    assert_same_cells(tmp_path, finished, (cell,))


def assert_same_end(run, reference):
    """The same cells, table and pictures, but for what a clock has measured."""
    assert_same_cells(run, reference)
    tables = [read_summary(path)["metrics"]["test"]["cifar10"] for path in (run, reference)]
    for row in (*tables[0].values(), *tables[1].values()):
        del row["train_seconds"], row["images_per_second"]
    assert tables[0] == tables[1]
    pictures = {path.name for path in (reference / "plots").iterdir()}
    assert {path.name for path in (run / "plots").iterdir()} == pictures
    for name in pictures - {"pareto_cifar10.png"}:
        assert (run / "plots" / name).read_bytes() == (reference / "plots" / name).read_bytes(), name
    assert 'class="badge finished"' in (run / "report.html").read_text()


@pytest.mark.parametrize("kills", KILLS)
def test_killed_at_random_moments_and_resumed_it_ends_the_same(options, finished, tmp_path, kills):
    survive(Comparison("dl-cnn-compare", options), kills, tmp_path, finished, assert_same_end)


def test_no_finished_cell_is_touched_again(config, finished, tmp_path):
    """Nor is a checkpoint of its training kept, if a kill came just before it was deleted."""
    run = shutil.copytree(finished, tmp_path / "run")
    done, summary = run / CELLS[0].folder, read_summary(run)
    (done / "last.safetensors").write_bytes(b"")
    shutil.rmtree(run / CELLS[1].folder)
    write_json(run / "summary.json", summary | {"status": "running"})
    before = (done / "result.json").stat().st_mtime_ns
    grid.train(config, resume=run)
    assert (done / "result.json").stat().st_mtime_ns == before
    assert_same_cells(run, finished)


def test_two_jobs_do_what_one_does(config, finished, tmp_path):
    run = grid.train(dataclasses.replace(config, jobs=2), runs_dir=tmp_path)
    assert_same_cells(run, finished)


def test_a_cell_that_fails_ends_no_other_and_is_tried_again(config, finished, tmp_path, monkeypatch):
    def broken(name, **shape):
        if name == "lenet":
            raise RuntimeError("out of memory")
        return made(name, **shape)

    made = training.make_network
    monkeypatch.setattr(training, "make_network", broken)
    with pytest.raises(LostWorkerError, match="1 of 2 cells failed") as failed:
        grid.train(config, runs_dir=tmp_path)
    assert "resume with" in failed.value.__notes__[0]
    (run,) = (tmp_path / "dl-cnn-compare").iterdir()
    assert "out of memory" in (run / CELLS[0].folder / "failed.txt").read_text()
    assert set(read_summary(run)["metrics"]["test"]["cifar10"]) == {"resnet20"}
    monkeypatch.undo()
    grid.train(config, resume=run)
    assert_same_cells(run, finished)
    assert not (run / CELLS[0].folder / "failed.txt").exists()


def test_a_budget_of_seconds_makes_fewer_updates(config, tmp_path, few_images):
    short = dataclasses.replace(config, epochs=10_000, budget_seconds=0.2)
    data = load_data(short, "cifar10")
    training.train_cell(short, CELLS[0], tmp_path, data, CPU, lambda: False)
    result = json.loads((tmp_path / "result.json").read_text())
    assert 1 <= result["steps"] < 10_000
    assert result["epochs"] == result["steps"] / (len(data.train) // 16)


def test_a_budget_is_not_spent_on_what_disturbs_its_measurement(config, tmp_path, few_images, monkeypatch):
    now, durations = 0.0, iter([60.0, 30.0, 1.0, 30.0])  # the first update makes ready, others waited for a core

    def step(*_):
        nonlocal now
        now += next(durations)
        return torch.zeros(3)

    monkeypatch.setattr(training, "train_step", step)
    monkeypatch.setattr(training.time, "perf_counter", lambda: now)
    short = dataclasses.replace(config, epochs=10_000, budget_seconds=100.0)
    in_progress = training.Training(short, CELLS[0], tmp_path, load_data(short, "cifar10"), CPU)
    assert in_progress.at.steps == 100


def test_other_pictures_are_classified_and_scored(capsys, finished, few_images, tmp_path):
    image = tmp_path / "image.png"
    Image.fromarray(np.full((50, 60, 3), 90, np.uint8)).save(image)
    chosen = ["--run", str(finished), "--dataset", "cifar10", "--json"]
    assert main(["predict", *chosen, "--architecture", "lenet", str(image)]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert sum(value for name, value in row.items() if name.startswith("p(")) == pytest.approx(1, abs=1e-4)
    copy = shutil.copytree(finished, tmp_path / "run")
    again = ["--run", str(copy), "--dataset", "cifar10", "--architecture", "resnet20", "--data", str(few_images)]
    assert main(["evaluate", *again, "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)["test"]["accuracy"]
    assert scored == read_summary(finished)["metrics"]["test"]["cifar10"]["resnet20"]["accuracy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--architectures", "lenet", "transformer"], "resnet18"),
        (["train", "--datasets", "imagenet"], "fashion_mnist"),
        (["train", "--data", "nowhere"], "nowhere"),
        (["train", "--seeds", "0"], "seeds"),
        (["predict", "--run", "{run}", "--dataset", "mnist", "{image}"], "its data sets are cifar10"),
        (
            ["predict", "--run", "{run}", "--dataset", "cifar10", "--architecture", "vgg16", "{image}"],
            "no finished vgg16",
        ),
        (["evaluate", "--run", "{run}", "--dataset", "cifar10", "--data", "nowhere"], "nowhere"),
    ],
    ids=["architecture", "dataset", "data", "seeds", "other-dataset", "other-network", "other-data"],
)
def test_what_cannot_be_done_is_refused_in_one_line(capsys, monkeypatch, tmp_path, finished, arguments, message):
    monkeypatch.chdir(tmp_path)
    filled = [one.format(run=finished, image="x.png") for one in arguments]
    assert message in refused(capsys, main, *filled)


def test_help_imports_no_framework():
    shown = help_without_frameworks("dl_architectures.cnn_compare.cli", "train", "evaluate", "predict")
    assert "--budget-seconds" in shown
    assert "--architecture " in shown


def test_an_image_set_of_other_classes_works(tmp_path, config):
    rng = np.random.default_rng(0)
    for label, name in enumerate(("dark", "grey", "light")):
        folder = tmp_path / "three" / name
        folder.mkdir(parents=True)
        for number in range(24):
            pixels = (80 * label + rng.integers(0, 60, (32, 32, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    small = dataclasses.replace(config, data=str(tmp_path / "three"), batch_size=8)
    data = load_data(small, "cifar10")
    training.train_cell(small, CELLS[1], tmp_path / "cell", data, CPU, lambda: False)
    assert np.load(tmp_path / "cell" / "predictions.npy").shape == (len(data.test), 3)


def test_images_are_shifted_and_mirrored_as_drawn(monkeypatch, config):
    rng = np.random.default_rng(0)
    split = Split(rng.integers(1, 255, (6, 5, 4, 3)).astype(np.uint8), np.arange(6))
    monkeypatch.setitem(AUGMENTATIONS, "cifar10", Augmentation(crop=2, flip=True))
    images = TrainImages(split, CPU, "cifar10", config, seed=0)
    rows, shifts, mirrored = torch.tensor([3, 0]), torch.tensor([[0, 4], [2, 2]]), torch.tensor([False, True])
    batch, labels = images.batch(rows, shifts, mirrored)
    padded = np.pad(split.images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    np.testing.assert_array_equal(batch[0], padded[3, 0:5, 4:8])
    np.testing.assert_array_equal(batch[1], split.images[0][:, ::-1])
    assert labels.tolist() == [3, 0]
    again = TrainImages(split, CPU, "cifar10", config, seed=0)
    assert all(torch.equal(one, other) for one, other in zip(images.plan(3), again.plan(3), strict=True))
    assert not torch.equal(images.plan(0)[0], images.plan(1)[0])
