"""What every CIFAR-10 project shares, from loading to the page of the run."""

import image_layouts as layouts
import numpy as np
import pandas as pd
import pytest

from dl_shared.config import TrainConfig
from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.runs import Run
from dl_shared.tasks import cifar10


@pytest.fixture(scope="module")
def small():
    """A tiny sample, so that the baseline costs nothing."""
    from dl_shared.data import images
    from dl_shared.sample.images import make_images

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "make_images", lambda **options: make_images(train=200, test=100, **options))
        yield


@pytest.fixture
def data(small):
    return cifar10.load("sample", seed=0)


def good_probabilities(labels, rng):
    guess = np.where(rng.random(len(labels)) < 0.8, labels, (labels + 1) % 10)
    probabilities = np.full((len(labels), 10), 0.02, np.float32)
    probabilities[np.arange(len(labels)), guess] = 0.82
    return probabilities


def test_validation_is_carved_from_training_by_the_seed(tmp_path, capsys):
    parts = layouts.make_parts(train=100)
    folder = str(layouts.write_binary(tmp_path, parts))
    first, again, other = (cifar10.load(folder, seed=seed) for seed in (0, 0, 1))
    assert f"data: CIFAR-10 from {folder} (CIFAR-10's binary batches)" in capsys.readouterr().err
    assert (len(first.train), len(first.validation), len(first.test)) == (90, 10, 20)
    assert np.bincount(first.validation.labels).tolist() == [1] * 10
    np.testing.assert_array_equal(first.validation.images, again.validation.images)
    assert not np.array_equal(first.validation.images, other.validation.images)
    np.testing.assert_array_equal(first.test.images, parts[1].images)
    together = np.concatenate([first.train.images, first.validation.images])
    assert sorted(image.tobytes() for image in together) == sorted(image.tobytes() for image in parts[0].images)
    half = cifar10.load(folder, seed=0, validation_fraction=0.5)
    assert (len(half.train), len(half.validation)) == (50, 50)
    assert first.fingerprint == other.fingerprint


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_fraction_must_leave_both_parts(fraction):
    with pytest.raises(InputError, match="validation_fraction"):
        cifar10.load("sample", seed=0, validation_fraction=fraction)


def test_report_leaves_a_whole_run(data, tmp_path):
    rng = np.random.default_rng(0)
    config = TrainConfig(data="sample", epochs=1, batch_size=1)
    options = {"task": "cifar10", "framework": "none", "primary": "accuracy", "runs_dir": tmp_path}
    with Run.start("a-project", config, **options) as run:
        run.log(step=1, epoch=1, split="train", loss=1.0, accuracy=0.5)
        probabilities = good_probabilities(data.test.labels, rng)
        cifar10.record_data(run, data)
        metrics = cifar10.report(run, data, probabilities, good_probabilities(data.validation.labels, rng))
    summary = read_json(run.path / "summary.json")
    assert summary["metrics"]["test"]["accuracy"] == pytest.approx(metrics["test"]["accuracy"])
    assert {"accuracy", "loss", "macro_f1"} <= summary["metrics"]["baseline"].keys()
    assert summary["metrics"]["optimum"]["accuracy"] == 0.95
    baseline = metrics["baseline"]["accuracy"]
    assert metrics["gap_closed"] == pytest.approx((metrics["test"]["accuracy"] - baseline) / (0.95 - baseline))
    assert summary["data"]["rows"] == {"train": 180, "validation": 20, "test": 100}
    assert summary["data"]["class_names"] == list(data.class_names)
    predictions = pd.read_parquet(run.path / "predictions.parquet")
    names = np.array(data.class_names)
    assert predictions["label"].tolist() == names[data.test.labels].tolist()
    assert np.mean(predictions["label"] == predictions["predicted"]) == pytest.approx(metrics["test"]["accuracy"])
    np.testing.assert_array_equal(predictions[f"p({names[3]})"], probabilities[:, 3])
    pictures = {file.stem for file in (run.path / "plots").iterdir()}
    assert pictures == {"curves", "confusion", "per_class", "misclassified", "sample_predictions", "reliability"}
    assert (run.path / "report.html").stat().st_size > 10_000


def test_evaluate_keeps_its_scores_beside_the_run(data, tmp_path):
    config = TrainConfig(data="sample", epochs=1, batch_size=1)
    options = {"task": "cifar10", "framework": "none", "primary": "accuracy", "runs_dir": tmp_path}
    with Run.start("a-project", config, **options) as run:
        cifar10.record_data(run, data)
        cifar10.report(run, data, np.full((100, 10), 0.1))
    seen = []

    def predict(images):
        seen.append(images)
        return np.eye(10)[data.test.labels]

    metrics = cifar10.evaluate(run.path, "sample", predict)
    np.testing.assert_array_equal(seen[0], data.test.images)
    assert metrics["test"]["accuracy"] == 1.0
    (file,) = (run.path / "evaluations").iterdir()
    assert read_json(file)["metrics"]["test"]["accuracy"] == 1.0
    assert read_json(run.path / "summary.json")["metrics"]["test"]["accuracy"] < 0.5

    other = layouts.write_binary(tmp_path / "other", layouts.make_parts())
    with pytest.raises(InputError, match="the run knows plain, rows"):
        cifar10.evaluate(run.path, str(other), predict)


@pytest.mark.skipif("DL_TEST_DATA" not in __import__("os").environ, reason="DL_TEST_DATA names no folder of real data")
def test_real_cifar10():
    import os
    from pathlib import Path

    data = cifar10.load(str(Path(os.environ["DL_TEST_DATA"]) / "cifar10"), seed=0)
    assert (len(data.train), len(data.validation), len(data.test)) == (40_500, 4_500, 5_000)
    assert np.bincount(data.validation.labels).tolist() == [450] * 10
    assert data.class_names[3] == "cat"
