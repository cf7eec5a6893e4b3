"""The console script from outside: what is answered, and what is refused in one line."""

import pytest
from cifar10_tools import write_tiny_backbone

from accelerate_projects.cifar10.cli import main
from accelerate_projects.cifar10.config import Config, PretrainConfig
from accelerate_projects.cifar10.train import train
from dl_shared.testing import answered, help_without_frameworks, refused
from dl_shared.testing.finetuning import FineTuningScript


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_tiny_backbone(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def finished(few_images, tiny, tmp_path_factory):
    config = Config(data=str(few_images), backbone=tiny, epochs=2, batch_size=20)
    return train(config, runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(FineTuningScript):
    package = "accelerate_projects.cifar10"


def test_help_and_refusals_import_no_framework():
    said = help_without_frameworks("accelerate_projects.cifar10.cli", "train", "predict", "pretrain", "compare-labels")
    assert "--label-share" in said
    assert "--hidden-sizes" in said


@pytest.mark.parametrize("name", ["ema", "momentum"])
def test_options_that_cannot_work(name):
    with pytest.raises(ValueError, match=name):
        Config(**{name: 1.0})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": "hub"}, "--data must name"),
        ({"image_size": 0}, "no backbone to ask"),
        ({"depths": (2, 2)}, "same length"),
        ({"embedding_size": 0}, "embedding_size must be at least 1"),
        ({"image_size": 32, "hidden_sizes": (8,) * 5, "depths": (1,) * 5}, "too small for 5 stages"),
    ],
)
def test_options_that_cannot_be_pretrained_with(changes, message):
    with pytest.raises(ValueError, match=message):
        PretrainConfig(**{"data": "sample", **changes})


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--device", "gpu"], "no GPU"), (["--precision", "fp16"], "needs a GPU")]
)
def test_what_this_machine_lacks(capsys, tmp_path, few_images, arguments, message):
    assert message in refused(capsys, main, "train", "--data", few_images, "--runs-dir", tmp_path, *arguments)
    assert not list(tmp_path.glob("accelerate-cifar10/*"))


def test_what_was_pretrained_can_be_finetuned(capsys, tmp_path, few_images):
    network = ["--embedding-size", 8, "--hidden-sizes", 8, "--depths", 1, "--image-size", 32]
    folder = tmp_path / "backbone"
    given = ["--epochs", 1, "--runs-dir", tmp_path]
    scores = answered(capsys, main, "pretrain", *given, *network, "--batch-size", 500, "--output", folder)
    assert scores["test"]["accuracy"] > scores["baseline"]["accuracy"]
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "preprocessor_config.json"}
    answered(capsys, main, "train", *given, "--data", few_images, "--batch-size", 20, "--backbone", folder)
    assert "pictures to pre-train" in refused(capsys, main, "pretrain", "--data", "hub")


@pytest.mark.slow
def test_compare_precision_measures_each_that_there_is(capsys, tmp_path, few_images, tiny):
    """In processes of their own, as it is meant: memory is that of one training alone."""
    given = ["--data", few_images, "--backbone", tiny, "--epochs", 1, "--batch-size", 20]
    folders = ["--output", tmp_path / "out", "--runs-dir", tmp_path / "runs"]
    rows = answered(capsys, main, "compare-precision", *given, *folders)["rows"]
    assert [row["variant"] for row in rows] == ["fp32", "bf16"]
    assert rows[0]["speedup"] == 1
    assert all(row["memory_bytes"] > 0 for row in rows)
