"""The console script from outside: bad input is one line and status 2; --help imports no framework."""

import shutil
import subprocess
import zipfile

import pytest
import torch
from PIL import Image

from dl_shared.testing import help_without_frameworks, refused
from dl_shared.testing.scripts import ImageScript
from lightning_projects.cifar10.cli import main
from lightning_projects.cifar10.config import PRESETS, Config
from lightning_projects.cifar10.train import train


@pytest.fixture(scope="module")
def finished(few_images, tmp_path_factory):
    config = Config(data=str(few_images), epochs=1, batch_size=18, widths=(4,))
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(ImageScript):
    package = "lightning_projects.cifar10"
    small = ("--epochs", 1, "--batch-size", 18, "--widths", 4, "--precision", "fp32")


def test_help_and_refusals_import_no_framework():
    assert "--label-smoothing" in help_without_frameworks("lightning_projects.cifar10.cli", "train")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"widths": ()}, "widths"),
        ({"widths": (1, 1, 1, 1, 1)}, "fewer widths"),
        ({"momentum": 1.0}, "momentum"),
        ({"bias_factor": 0.0}, "bias_factor"),
        ({"devices": -1}, "devices"),
        ({"num_nodes": 0}, "num_nodes"),
        ({"widths": (1, 1, 1, 1), "stem_stride": 2}, "fewer widths"),
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
    assert PRESETS["full"].depth == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["--depth", "9"],
        ["--precision", "fp8"],
        ["--epochs", "0"],
        ["--preset", "huge"],
        ["--device", "abacus"],
        ["--strategy", "fsdp"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_unknown_option_values(capsys, tmp_path, arguments):
    assert arguments[1] in refused(capsys, main, "train", "--data", "sample", "--runs-dir", tmp_path, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "--device"),
        (["--device", "gpu"], "--device"),
        (["--precision", "fp16"], "bf16"),
        (["--num-nodes", "2"], "torchrun"),
        (["--wandb"], "pip install wandb"),
    ],
)
def test_what_this_machine_lacks(capsys, tmp_path, few_images, arguments, message):
    line = refused(capsys, main, "train", "--data", few_images, "--runs-dir", tmp_path, "--batch-size", 18, *arguments)
    assert message in line
    assert not list(tmp_path.glob("lightning-cifar10/*"))


@pytest.mark.parametrize("damage", ["emptied", "cut short", "odd inside", "of another model"])
def test_a_damaged_checkpoint(capsys, tmp_path, finished, damage):
    run = shutil.copytree(finished, tmp_path / "run")
    file = run / "checkpoints" / "best.ckpt"
    if damage == "of another model":
        torch.save({"state_dict": {"network.classifier.weight": torch.zeros(2, 3)}}, file)
    elif damage == "odd inside":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("best/data.pkl", b"\x80\x020.")  # takes what is not there from the stack
            archive.writestr("best/version", "3")
    else:
        file.write_bytes(b"" if damage == "emptied" else file.read_bytes()[:2000])
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert "best.ckpt is damaged or of another model" in refused(
        capsys, main, "predict", "--run", run, tmp_path / "a.png"
    )


def test_a_checkpoint_that_would_run_code_is_refused(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    torch.save({"state_dict": {}, "trap": subprocess.Popen}, run / "checkpoints" / "best.ckpt")
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert "best.ckpt is damaged" in refused(capsys, main, "predict", "--run", run, tmp_path / "a.png")


def test_no_checkpoint_can_be_read(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    (summary,) = run.glob("summary.json")
    summary.write_text(summary.read_text().replace('"finished"', '"running"'))
    for file in (run / "checkpoints" / "last").iterdir():
        file.write_bytes(b"")
    assert "start a new run" in refused(capsys, main, "train", "--resume", run)
