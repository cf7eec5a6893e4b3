"""Pictures show the data they are given."""

import numpy as np
import pytest

from dl_shared.metrics.classification import calibration, score
from dl_shared.plots import classification as plots
from dl_shared.plots.curves import training_curves

NAMES = ["cat", "dog", "frog"]


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 200)
    probabilities = rng.dirichlet([1, 1, 1], 200)
    images = rng.integers(0, 256, (200, 8, 8, 3), dtype=np.uint8)
    return images, labels, probabilities


def texts(axis):
    return [text.get_text() for text in axis.texts]


def test_confusion_shows_each_count_where_it_belongs():
    axis = plots.confusion(np.array([[5, 0, 1], [0, 7, 0], [2, 0, 1234]]), NAMES).axes[0]
    placed = {text.get_position(): text.get_text() for text in axis.texts}
    assert placed == {(0, 0): "5", (2, 0): "1", (1, 1): "7", (0, 2): "2", (2, 2): "1,234"}
    assert [label.get_text() for label in axis.get_yticklabels()] == NAMES
    assert axis.get_ylabel() == "true class"


def test_per_class_sorts_by_f1(predictions):
    _, labels, probabilities = predictions
    scores = score(labels, probabilities, NAMES, replicates=20)["per_class"]
    axis = plots.per_class(scores).axes[0]
    shown = [label.get_text() for label in axis.get_yticklabels()]
    assert shown == sorted(NAMES, key=lambda name: -scores[name]["f1"])
    dots = {line.get_label(): line.get_xdata() for line in axis.lines}
    np.testing.assert_allclose(dots["F1"], [scores[name]["f1"] for name in shown])


def test_misclassified_starts_with_the_most_confident_mistake(predictions):
    images, labels, probabilities = predictions
    predicted = probabilities.argmax(axis=1)
    confidence = np.where(predicted != labels, probabilities.max(axis=1), -1)
    worst = confidence.argmax()
    fig = plots.misclassified(images, labels, probabilities, NAMES, count=5)
    first = fig.axes[0]
    np.testing.assert_array_equal(first.images[0].get_array(), images[worst])
    assert first.get_title().strip() == NAMES[labels[worst]]
    assert NAMES[predicted[worst]] in texts(first)[0]
    assert sum(bool(axis.images) for axis in fig.axes) == 5


def test_grid_without_mistakes_says_so(predictions):
    images, labels, _ = predictions
    fig = plots.misclassified(images, labels, np.eye(3)[labels], NAMES)
    assert texts(fig.axes[0]) == ["none"]


def test_grey_images_and_few_of_them(predictions):
    images, labels, probabilities = predictions
    fig = plots.sample_predictions(images[:3, :, :, :1], labels[:3], probabilities[:3], NAMES)
    shown = [axis.images[0].get_array() for axis in fig.axes if axis.images]
    assert [image.shape for image in shown] == [(8, 8)] * 3


def test_reliability_draws_the_filled_bins(predictions):
    _, labels, probabilities = predictions
    bins = calibration(labels, probabilities)
    top = plots.reliability(bins).axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in top.patches], bins.accuracy[bins.count > 0])


@pytest.mark.parametrize("first", [0, 1])
def test_curves_are_drawn_over_epochs(first):
    rows = [{"step": 0, "epoch": 0, "split": "validation", "loss": 2.3}]
    for number in (1, 2, 3):
        epoch = number - 1 + first
        rows.append({"step": 10 * number - 5, "epoch": epoch, "split": "train", "loss": 2 / number})
        rows.append({"step": 10 * number, "epoch": epoch, "split": "train", "loss": 1 / number})
        rows.append({"step": 10 * number, "epoch": epoch, "split": "validation", "loss": None if number == 2 else 0.5})
    axis = training_curves(rows, {"loss": "loss (nats)"}, references={"loss": {"optimum": 0.2}}).axes[0]
    assert axis.get_xlabel() == "epoch"
    assert axis.get_ylabel() == "loss (nats)"
    lines = {line.get_label(): line for line in axis.lines}
    np.testing.assert_allclose(
        lines["training"].get_xydata(), [[0.5, 2], [1, 1], [1.5, 1], [2, 0.5], [2.5, 2 / 3], [3, 1 / 3]]
    )
    np.testing.assert_allclose(lines["validation"].get_xydata(), [[0, 2.3], [1, 0.5], [3, 0.5]])
    assert "optimum 0.2" in lines


def test_curves_of_an_empty_history():
    assert training_curves([], {"loss": "loss"}).axes[0].get_lines() == []
