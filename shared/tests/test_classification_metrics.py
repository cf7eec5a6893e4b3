"""Figures against scikit-learn and against numbers worked by hand."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from dl_shared.metrics.classification import calibration, confusion_scores, in_top_k, score


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 6, size=700)
    logits = rng.normal(size=(700, 6))
    logits[np.arange(700), labels] += 1.5
    probabilities = np.exp(logits)
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_agrees_with_scikit_learn(rows):
    labels, probabilities = rows
    predicted = probabilities.argmax(axis=1)
    result = score(labels, probabilities, list("abcdef"), replicates=50)
    precision, recall, f1, support = oracle.precision_recall_fscore_support(labels, predicted)
    assert result["accuracy"] == pytest.approx(oracle.accuracy_score(labels, predicted))
    assert result["loss"] == pytest.approx(oracle.log_loss(labels, probabilities))
    assert result["macro_f1"] == pytest.approx(f1.mean())
    assert result["macro_precision"] == pytest.approx(precision.mean())
    assert result["macro_recall"] == pytest.approx(recall.mean())
    assert result["top_3_accuracy"] == pytest.approx(oracle.top_k_accuracy_score(labels, probabilities, k=3))
    for name, *expected in zip("abcdef", precision, recall, f1, support, strict=True):
        entry = result["per_class"][name]
        assert [entry[key] for key in ("precision", "recall", "f1", "support")] == pytest.approx(expected)


def test_every_figure_has_an_interval_around_it(rows):
    result = score(*rows)
    singles = {name for name in result if not name.endswith("_ci") and name != "per_class"}
    assert singles == {"accuracy", "loss", "macro_precision", "macro_recall", "macro_f1", "ece", "top_3_accuracy"}
    for name in singles - {"ece"}:  # whose interval leans upwards
        low, high = result[f"{name}_ci"]
        assert low < result[name] < high
    for entry in result["per_class"].values():
        for name in ("precision", "recall", "f1"):
            assert entry[f"{name}_ci"][0] < entry[name] < entry[f"{name}_ci"][1]


def test_interval_narrows_with_the_root_of_the_rows(rows):
    labels, probabilities = rows
    few = score(labels, probabilities)
    many = score(np.tile(labels, 16), np.tile(probabilities, (16, 1)))
    for name in ("accuracy", "loss", "macro_f1"):
        assert many[name] == pytest.approx(few[name])
        assert np.diff(few[f"{name}_ci"]) == pytest.approx(4 * np.diff(many[f"{name}_ci"]), rel=0.15)


def test_absent_classes_by_hand():
    # Class 2 never occurs, class 3 is never predicted.
    confusion = np.array([[2, 1, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0]])
    scores = confusion_scores(confusion)
    np.testing.assert_allclose(scores["precision"], [2 / 3, 3 / 5, 0, 0])
    np.testing.assert_allclose(scores["recall"], [2 / 3, 1, 0, 0])
    np.testing.assert_allclose(scores["f1"], [2 / 3, 3 / 4, 0, 0])
    assert scores["accuracy"] == 5 / 8
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 3 / 4 + 0) / 3)


def test_calibration_by_hand():
    # Confidences 0.9, 0.9, 0.6, 0.55: bins (13/15, 14/15], (8/15, 9/15].
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.45, 0.55]])
    result = calibration(np.array([0, 1, 1, 0]), probabilities)
    assert result.count.tolist() == [0] * 8 + [2] + [0] * 4 + [2, 0]
    assert result.confidence[[8, 13]] == pytest.approx([0.575, 0.9])
    assert result.accuracy[[8, 13]] == pytest.approx([0.5, 0.5])
    assert np.isnan(result.accuracy[0])
    assert result.ece == pytest.approx((2 * 0.075 + 2 * 0.4) / 4)


def test_calibrated_rows_have_a_small_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20000)
    labels = (rng.random(20000) < p).astype(np.int64)
    assert calibration(labels, np.stack([1 - p, p], axis=1)).ece < 0.02


def test_ties_count_against_the_model():
    equal = np.full((1, 4), 0.25)
    assert not in_top_k(np.array([0]), equal, 3)[0]
    assert in_top_k(np.array([0]), equal, 4)[0]


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.ones((0, 2)), "no rows"),
        ([2], np.array([[0.5, 0.5]]), "labels run from 2 to 2"),
        ([-1], np.array([[0.5, 0.5]]), "labels run from -1"),
        ([0], np.array([[np.nan, 0.5]]), "1 of 1 rows are not finite"),
        ([0], np.array([[2.0, -1.0]]), "softmax"),
        ([0], np.array([[3.0, 1.0]]), "softmax"),
    ],
)
def test_refuses_what_are_no_probabilities(labels, probabilities, message):
    with pytest.raises(ValueError, match=message):
        score(np.array(labels, np.int64), probabilities)
