"""Runs on the same images side by side: gains with intervals, and pictures of them."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.config import TrainConfig
from dl_shared.plots import transfer
from dl_shared.runs import Run
from dl_shared.tasks.cifar10_comparison import compare_runs, write_comparison_folder


@pytest.fixture
def runs(tmp_path):
    """Three runs on 200 images: one right in 100 of them, one in the same and 40 more, and that again."""
    names, labels = np.array(["cat", "dog"]), np.arange(200) % 2
    found = {}
    for name, right in (("plain", 100), ("better", 140), ("as good", 140)):
        config = TrainConfig(data="sample", epochs=1, batch_size=1)
        options = {"task": "cifar10", "framework": "none", "primary": "accuracy", "runs_dir": tmp_path}
        with Run.start("toy", config, **options) as run:
            predicted = np.where(np.arange(200) < right, labels, 1 - labels)
            run.save_predictions(pd.DataFrame({"label": names[labels], "predicted": names[predicted]}))
            run.update("metrics", test={"accuracy": right / 200, "accuracy_ci": [0.4, 0.8]})
            run.update("cost", train_seconds=2.0, examples_per_second=100.0)
        found[name] = run.path
    return found


def test_a_gain_is_over_the_first_with_an_interval_of_the_same_images(runs):
    rows = compare_runs(runs)
    assert [row["gain"] for row in rows] == [0.0, 0.2, 0.2]
    low, high = rows[1]["gain_ci"]
    assert 0.12 < low < 0.2 < high < 0.28
    assert compare_runs(runs, reference="better")[2]["gain_ci"] == [0.0, 0.0]
    assert rows[0]["memory_bytes"] is None


def test_other_images_are_refused(runs):
    pd.DataFrame({"label": ["cat"], "predicted": ["cat"]}).to_parquet(runs["better"] / "predictions.parquet")
    with pytest.raises(ValueError, match="different images"):
        compare_runs(runs)


def test_the_folder_holds_table_picture_and_page(tmp_path, runs):
    rows = compare_runs(runs)
    picture = transfer.label_shares({"toy": [(0.1, 0.5, (0.4, 0.6)), (1.0, 0.7, (0.6, 0.8))]}, "accuracy")
    write_comparison_folder(tmp_path / "out", rows, runs, picture)
    assert pd.read_csv(tmp_path / "out" / "comparison.csv")["accuracy"].tolist() == [0.5, 0.7, 0.7]
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 1000
    assert "3 runs compared" in (tmp_path / "out" / "index.html").read_text()


def test_shares_are_named_on_a_logarithmic_axis():
    axes = transfer.label_shares({"a": [(0.01, 0.2, (0.1, 0.3)), (1.0, 0.7, (0.6, 0.8))]}, "accuracy").axes[0]
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1 %", "100 %"]


def test_formats_show_what_was_measured_and_nothing_else():
    accuracy = [(0.0, 0.9, (0.89, 0.91)), (1.0, 0.89, (0.88, 0.9))]
    panels = {"pictures per second": [100.0, 220.0], "memory": [None, 50.0]}
    speed, memory, scores = transfer.formats(["fp32", "bf16"], panels, accuracy).axes
    assert [bar.get_height() for bar in speed.patches] == [100, 220]
    assert np.isnan(memory.patches[0].get_height())
    assert [text.get_text() for text in scores.texts] == ["90.00%", "89.00%"]
