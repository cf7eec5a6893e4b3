"""The console script from outside: bad input is one line and status 2; --help imports no framework."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from dl_shared.data.image_files import read_image_files
from dl_shared.runs import read_summary
from dl_shared.testing import help_without_frameworks, refused
from lightning_projects.cifar10.cli import main
from lightning_projects.cifar10.config import PRESETS, Config
from lightning_projects.cifar10.predict import load_predictor
from lightning_projects.cifar10.train import train


@pytest.fixture(scope="module")
def finished(few_images, tmp_path_factory):
    config = Config(data=str(few_images), epochs=1, batch_size=18, widths=(4,))
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


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
    assert next(iter(PRESETS)) == "cpu"
    assert PRESETS["quick"].stem_stride == 2
    assert PRESETS["full"].depth == 3


def test_data_that_is_not_there(capsys, tmp_path):
    assert "does not exist" in refused(capsys, main, "train", "--data", tmp_path / "nothing", "--runs-dir", tmp_path)
    assert not list(tmp_path.glob("lightning-cifar10/*")), "a wrong path leaves no run behind"


def test_a_truncated_parquet_file(capsys, tmp_path, few_images):
    damaged = shutil.copytree(few_images, tmp_path / "data")
    file = damaged / "train-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:5000])
    assert "train-00000-of-00001.parquet" in refused(capsys, main, "train", "--data", damaged, "--runs-dir", tmp_path)


def test_fewer_images_than_a_batch(capsys, tmp_path, few_images):
    line = refused(capsys, main, "train", "--data", few_images, "--runs-dir", tmp_path, "--batch-size", 5000)
    assert "no batch of 5000" in line


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


def test_runs_that_are_not_there(capsys, tmp_path):
    assert "no run" in refused(capsys, main, "predict", "--runs-dir", tmp_path, "x.png")
    assert "not a run" in refused(capsys, main, "evaluate", "--run", tmp_path, "--data", "sample")


def test_predict_gives_a_row_for_each_image_in_order(capsys, tmp_path, finished):
    files = []
    for name, level in (("dark.png", 10), ("bright.jpg", 190), ("grey.png", 100)):
        size = (40, 64) if name == "grey.png" else (32, 32)
        Image.new("L" if name == "grey.png" else "RGB", size, level if name == "grey.png" else (level,) * 3).save(
            tmp_path / name
        )
        files.append(tmp_path / name)
    assert main(["predict", "--run", str(finished), *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [str(file) for file in files]
    rows = load_predictor(finished)(read_image_files(files, 32))
    np.testing.assert_allclose(rows.sum(1), 1, rtol=1e-5)
    assert f"confidence {rows[2].max():.4f}" in lines[2]


def test_the_test_predictions_come_back_from_the_checkpoint(finished, few_images, capsys):
    assert main(["evaluate", "--run", str(finished), "--data", str(few_images)]) == 0
    shown = capsys.readouterr().out
    accuracy = read_summary(finished)["metrics"]["test"]["accuracy"]
    assert f"{accuracy:.4f}" in shown
    assert list((finished / "evaluations").iterdir())


def test_a_file_that_is_no_image(capsys, tmp_path, finished):
    (tmp_path / "notes.png").write_text("not a picture")
    assert "notes.png" in refused(capsys, main, "predict", "--run", finished, tmp_path / "notes.png")
    assert "nothing.png" in refused(capsys, main, "predict", "--run", finished, tmp_path / "nothing.png")


@pytest.mark.parametrize("damage", ["emptied", "cut short", "of another model"])
def test_a_damaged_checkpoint(capsys, tmp_path, finished, damage):
    run = shutil.copytree(finished, tmp_path / "run")
    file = run / "checkpoints" / "best.ckpt"
    if damage == "of another model":
        torch.save({"state_dict": {"network.classifier.weight": torch.zeros(2, 3)}}, file)
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


def test_a_run_without_a_checkpoint(capsys, tmp_path, finished):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "checkpoints" / "best.ckpt").unlink()
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    assert "no checkpoint yet" in refused(capsys, main, "predict", "--run", run, tmp_path / "a.png")


def test_a_finished_run_is_not_resumed(capsys, finished):
    assert "finished" in refused(capsys, main, "train", "--resume", finished)


def test_tune_tries_options_and_says_which_were_best(capsys, tmp_path, few_images):
    small = ["--epochs", "2", "--batch-size", "18", "--widths", "4", "--precision", "fp32"]
    options = ["--data", str(few_images), "--trials", "1", "--runs-dir", str(tmp_path), "--json"]
    assert main(["tune", *options, *small]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == {"complete": 1}
    assert 0.1 <= found["best"]["learning_rate"] <= 5.0
    assert 0 <= found["best_value"] <= 1


def test_a_loss_that_is_not_finite_ends_the_run(capsys, tmp_path, few_images):
    small = ["--widths", "4", "--batch-size", "18", "--precision", "fp32"]
    data = ["--data", str(few_images), "--runs-dir", str(tmp_path)]
    assert "smaller --learning-rate" in refused(capsys, main, "train", *data, *small, "--learning-rate", "1e30")


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_the_run_goes_on_once_there_is_space(tmp_path, few_images):
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    train = f"{sys.executable} -m lightning_projects.cifar10.cli train"
    sizes = f"--data {few_images} --epochs 1 --batch-size 18 --widths 4"
    steps = (
        f"mount -t tmpfs -o size=40k none {tmp_path}",
        f"{train} {sizes} --runs-dir {tmp_path} 2> {tmp_path.parent}/errors || echo status $?",
        f"mount -o remount,size=50m {tmp_path}",
        f"{train} --resume {tmp_path}/lightning-cifar10/*",
    )
    result = subprocess.run(["unshare", "-m", "sh", "-c", "; ".join(steps)], capture_output=True, text=True)
    errors = (tmp_path.parent / "errors").read_text()
    assert "status 2" in result.stdout
    assert re.search(r"^error: No space left on device.*; resume with: lightning-cifar10 train --resume", errors, re.M)
    assert "Traceback" not in errors
    assert "report.html" in result.stdout, result.stderr
