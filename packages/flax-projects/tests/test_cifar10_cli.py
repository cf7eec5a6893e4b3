"""The console script from outside: bad input is one line and status 2; --help imports no framework."""

import shutil

import pytest
from PIL import Image

from dl_shared.testing import help_without_frameworks, refused
from dl_shared.testing.scripts import ImageScript
from flax_projects.cifar10.cli import main
from flax_projects.cifar10.config import PRESETS, Config
from flax_projects.cifar10.train import train


@pytest.fixture(scope="module")
def finished(few_images, tmp_path_factory):
    config = Config(data=str(few_images), epochs=1, batch_size=18, model="cnn", widths=(4,))
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(ImageScript):
    package = "flax_projects.cifar10"
    small = ("--epochs", 1, "--batch-size", 18, "--widths", 4, "--optimizer", "sgd", "--precision", "fp32")


def test_help_and_refusals_import_no_framework():
    shown = help_without_frameworks("flax_projects.cifar10.cli", "train")
    assert "--label-smoothing" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "widths"),
        ({"widths": (1, 1, 1, 1, 1)}, "fewer widths"),
        ({"widths": (1, 1, 1, 1), "stem_stride": 2}, "fewer widths"),
        ({"small_epochs": 1, "small_side": 8, "widths": (1, 1, 1)}, "halve 8 pixels"),
        ({"small_epochs": 3, "epochs": 2}, "small_epochs"),
        ({"small_side": 40}, "small_side"),
        ({"dropout": 1.0}, "dropout"),
        ({"crop": 40}, "40"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_presets_differ_where_they_say():
    assert PRESETS["quick"].stem_stride == 2
    assert PRESETS["full"].chunk_steps == 0


@pytest.mark.parametrize(
    "arguments",
    [["--model", "vgg"], ["--precision", "fp16"], ["--epochs", "0"], ["--preset", "huge"], ["--device", "abacus"]],
    ids=lambda arguments: arguments[0],
)
def test_unknown_option_values(capsys, tmp_path, arguments):
    assert arguments[1] in refused(capsys, main, "train", "--data", "sample", "--runs-dir", tmp_path, *arguments)


def test_a_device_that_is_not_there(capsys, tmp_path, few_images):
    line = refused(capsys, main, "train", "--data", few_images, "--device", "tpu", "--runs-dir", tmp_path)
    assert "--device auto" in line


DAMAGES = {
    "emptied": lambda raw: b"",
    "cut short": lambda raw: raw[:200],
    "changed": lambda raw: bytes(byte ^ 255 if place % 50 == 49 else byte for place, byte in enumerate(raw)),
}


def test_a_checkpoint_of_a_year_that_no_calendar_has(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    (file,) = (run / "checkpoints" / "best").glob("*/_CHECKPOINT_METADATA")
    file.write_text(file.read_text().replace('"commit_timestamp_nsecs": ', '"commit_timestamp_nsecs": 9999999'))
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert "checkpoints/best is damaged" in refused(capsys, main, "predict", "--run", run, tmp_path / "a.png")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(capsys, tmp_path, finished, damage):
    run = shutil.copytree(finished, tmp_path / "run")
    for file in (run / "checkpoints" / "best").rglob("*"):
        if file.is_file() and (damage == "emptied" or file.stat().st_size > 500):
            file.write_bytes(DAMAGES[damage](file.read_bytes()))
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    line = refused(capsys, main, "predict", "--run", run, tmp_path / "a.png")
    assert "checkpoint" in line
