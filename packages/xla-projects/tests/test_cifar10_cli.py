"""The console script from outside: what is answered, and what is refused in one line."""

import pytest
from cifar10_tools import small_options, write_tiny_backbone

from dl_shared.testing import help_without_frameworks
from dl_shared.testing.finetuning import FineTuningScript
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.train import train


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return str(write_tiny_backbone(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def finished(few_images, tiny, tmp_path_factory):
    return train(Config(**small_options(few_images, tiny)), runs_dir=tmp_path_factory.mktemp("runs"))


class TestScript(FineTuningScript):
    package = "xla_projects.cifar10"


def test_help_and_refusals_import_no_framework():
    said = help_without_frameworks("xla_projects.cifar10.cli", "setup", "train", "predict", "tune", "compare-labels")
    assert "--label-share" in said
    assert "--devices" in said
