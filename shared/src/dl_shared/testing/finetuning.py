"""What holds of every console script that fine-tunes a ResNet, as tests to derive from."""

import shutil

import pandas as pd
import pytest
from PIL import Image

from dl_shared.tasks import cifar10, variants
from dl_shared.testing import answered, refused
from dl_shared.testing.scripts import ImageScript


class FineTuningScript(ImageScript):
    """The module with the derived class has a fixture `tiny` too, the folder of a small backbone."""

    @pytest.fixture(autouse=True)
    def _from_a_small_backbone(self, tiny):
        type(self).small = ("--backbone", tiny, "--epochs", 1, "--batch-size", 20)

    @pytest.mark.parametrize(
        ("backbone", "message"),
        [
            ("nobody/has-this", "use --backbone embedded"),
            ("./nowhere", "does not exist"),
            ("./nowhere.pth", "does not exist"),
        ],
    )
    def test_backbones_that_are_not_there(self, capsys, tmp_path, few_images, backbone, message):
        assert message in self.no_run_for(capsys, tmp_path, "--data", few_images, "--backbone", backbone)

    def test_a_run_without_a_checkpoint(self, capsys, tmp_path, finished):
        run = shutil.copytree(finished, tmp_path / "run", ignore=shutil.ignore_patterns("best.*"))
        Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
        assert "no such checkpoint yet" in refused(capsys, self.main, "predict", "--run", run, tmp_path / "a.png")

    @pytest.mark.parametrize("file", ["checkpoints/best.safetensors", "network/config.json"])
    def test_a_damaged_run(self, capsys, tmp_path, finished, few_images, file):
        run = shutil.copytree(finished, tmp_path / "run")
        (run / file).write_bytes((run / file).read_bytes()[:100])
        line = refused(capsys, self.main, "evaluate", "--run", run, "--data", few_images)
        assert file.rpartition("/")[2] in line

    def test_compare_labels_sets_the_backbone_beside_scratch(self, capsys, tmp_path, few_images, tiny, monkeypatch):
        """A tiny backbone of random weights adds nothing, but the table is the same."""

        def in_this_process(function, *args, **more):
            return function(*args, **more)

        # Without what takes long: other processes, and the pictures of each run.
        monkeypatch.setattr(variants, "in_own_process", in_this_process)
        monkeypatch.setattr(cifar10, "_save_pictures", lambda *_: None)
        monkeypatch.setattr(f"{self.package}.model.EMBEDDED", tiny)
        output, runs = tmp_path / "out", tmp_path / "runs"
        given = ["--data", few_images, *self.small, "--shares", 1, "--output", output, "--runs-dir", runs]
        rows = answered(capsys, self.main, "compare-labels", *given)["rows"]
        assert [row["variant"].partition(",")[0] for row in rows] == ["from scratch", f"backbone {tiny}"]
        assert rows[0]["gain"] == 0
        assert rows[1]["gain"] == pytest.approx(rows[1]["accuracy"] - rows[0]["accuracy"])
        assert len(pd.read_csv(output / "comparison.csv")) == 2
        assert {path.name for path in output.iterdir()} == {"comparison.csv", "comparison.png", "index.html"}
