"""The console script from outside: what is answered, and what is refused in one line."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from cifar10_tools import small_options, write_tiny_backbone
from PIL import Image

from dl_shared.data.image_files import read_image_files
from dl_shared.runs import read_summary
from dl_shared.tasks import cifar10, cifar10_comparison
from dl_shared.testing import help_without_frameworks, refused
from xla_projects.cifar10.cli import main
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.predict import load_predictor
from xla_projects.cifar10.train import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_tiny_backbone(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def finished(few_images, tiny, tmp_path_factory):
    return train(Config(**small_options(few_images, tiny)), runs_dir=tmp_path_factory.mktemp("runs"))


def test_help_and_refusals_import_no_framework():
    said = help_without_frameworks("xla_projects.cifar10.cli", "setup", "train", "predict", "tune", "compare-labels")
    assert "--label-share" in said
    assert "--devices" in said


@pytest.mark.parametrize(
    "changes",
    [
        {"image_size": 16},
        {"augment": ("crop", "colour")},
        {"smallest_crop": 0.0},
        {"erase": 2.0},
        {"learning_rate": 0.0},
        {"weight_decay": -1.0},
        {"warmup": 1.0},
        {"backbone": ""},
        {"head_epochs": 99},
        {"layer_decay": 0.0},
        {"label_share": 1.5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_that_cannot_work(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        Config(**changes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "999"], "make no batch of 999"),
        (["--backbone", "nobody/has-this"], "use --backbone embedded"),
        (["--backbone", "./nowhere"], "does not exist"),
        (["--learning-rate", "1e30"], "smaller --learning-rate"),
        (["--data", "none"], "does not exist"),
    ],
    ids=lambda value: value[1] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_here(capsys, tmp_path, few_images, tiny, arguments, message):
    given = ["--data", few_images, "--backbone", tiny, "--epochs", 2, "--batch-size", 20, "--runs-dir", tmp_path]
    assert message in refused(capsys, main, "train", *given, *arguments)
    assert not list(tmp_path.glob("xla-cifar10/*/metrics.jsonl"))


def test_predict_gives_a_row_for_each_image_in_order(capsys, tmp_path, finished):
    files = [tmp_path / name for name in ("dark.png", "bright.jpg")]
    for file, level, size in zip(files, (10, 190), ((32, 32), (40, 64)), strict=True):
        Image.new("RGB", size, (level,) * 3).save(file)
    assert main(["predict", "--run", str(finished), *map(str, files), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["file"] for row in rows] == list(map(str, files))
    probabilities = load_predictor(finished)(read_image_files(files, 32))
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    assert rows[1]["confidence"] == pytest.approx(probabilities[1].max())
    (tmp_path / "notes.png").write_text("no picture")
    assert "notes.png" in refused(capsys, main, "predict", "--run", finished, tmp_path / "notes.png")


def test_evaluate_gives_the_test_scores_back(capsys, finished, few_images):
    assert main(["evaluate", "--run", str(finished), "--data", str(few_images), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["test"]
    assert scores["loss"] == pytest.approx(read_summary(finished)["metrics"]["test"]["loss"], rel=1e-5)


@pytest.mark.parametrize("file", ["checkpoints/best.safetensors", "network/config.json"])
def test_a_damaged_run(capsys, tmp_path, finished, few_images, file):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / file).write_bytes((run / file).read_bytes()[:100])
    assert file.rpartition("/")[2] in refused(capsys, main, "evaluate", "--run", run, "--data", few_images)


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, few_images, tiny):
    given = ["--data", str(few_images), "--backbone", tiny, "--epochs", "2", "--batch-size", "20"]
    assert main(["tune", *given, "--trials", "1", "--runs-dir", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == {"complete": 1}
    assert 1e-4 <= found["best"]["learning_rate"] <= 1e-2
    assert 0 <= found["best_value"] <= 1


def test_compare_labels_sets_the_backbone_beside_scratch(capsys, tmp_path, few_images, tiny, monkeypatch):
    """With random weights it adds nothing, but the table is the same. Without what takes long: processes, pictures."""
    monkeypatch.setattr(cifar10, "_save_pictures", lambda *_: None)
    monkeypatch.setattr(cifar10_comparison, "in_own_process", lambda function, *args, **more: function(*args, **more))
    monkeypatch.setattr("xla_projects.cifar10.model.EMBEDDED", tiny)
    given = ["--data", str(few_images), "--backbone", tiny, "--epochs", "1", "--batch-size", "20"]
    folders = ["--output", str(tmp_path / "out"), "--runs-dir", str(tmp_path / "runs")]
    assert main(["compare-labels", *given, *folders, "--shares", "1", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["variant"].partition(",")[0] for row in rows] == ["from scratch", f"backbone {tiny}"]
    assert rows[0]["gain"] == 0
    assert rows[1]["gain"] == pytest.approx(rows[1]["accuracy"] - rows[0]["accuracy"])
    assert len(pd.read_csv(tmp_path / "out" / "comparison.csv")) == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"comparison.csv", "comparison.png", "index.html"}
