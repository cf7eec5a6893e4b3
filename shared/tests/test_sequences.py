"""Sequence scores against numbers worked by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from dl_shared.metrics.sequences import score_sequences, sequence_lengths

EOS = 1


def test_lengths_stop_at_the_first_end_and_drop_trailing_padding():
    tokens = np.array([[5, 1, 6, 1], [5, 6, 0, 0], [0, 0, 0, 0], [5, 0, 6, 0]])
    assert sequence_lengths(tokens, pad_id=0, eos_id=EOS).tolist() == [2, 2, 0, 3]
    assert sequence_lengths(tokens, pad_id=0).tolist() == [4, 2, 0, 3]


def test_by_hand():
    target = np.array([[2, 3, 1, 0], [3, 3, 2, 1]])
    predicted = np.array([[2, 3, 1, 9, 9], [3, 2, 1, 0, 0]])  # row 0 right (what follows the end is not read)
    scores = score_sequences(predicted, target, eos_id=EOS)
    assert scores["exact_match"] == 0.5
    assert scores["accuracy"] == pytest.approx(4 / 7)  # 3 of row 0; of row 1 only the first
    # class 1: right 1, predicted 2, wanted 2; class 2: 1, 2, 2; class 3: 2, 2, 3
    assert scores["precision"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert scores["recall"] == pytest.approx((1 / 2 + 1 / 2 + 2 / 3) / 3)
    assert scores["f1"] == pytest.approx((1 / 2 + 1 / 2 + 4 / 5) / 3)


def test_a_prediction_too_long_is_not_an_exact_match():
    target = np.array([[2, 3, 1]])
    assert score_sequences(np.array([[2, 3, 4, 1]]), target, eos_id=EOS)["exact_match"] == 0
    assert score_sequences(np.array([[2, 3, 4, 1]]), target, eos_id=EOS)["accuracy"] == pytest.approx(2 / 3)
    assert score_sequences(np.array([[2, 3, 1, 0]]), target, eos_id=EOS)["exact_match"] == 1


def test_agrees_with_scikit_learn_on_equal_lengths():
    rng = np.random.default_rng(0)
    target = rng.integers(1, 8, (200, 9))
    predicted = np.where(rng.random(target.shape) < 0.8, target, rng.integers(1, 8, target.shape))
    scores = score_sequences(predicted, target, pad_id=0)
    expected = precision_recall_fscore_support(target.ravel(), predicted.ravel(), average="macro")[:3]
    assert [scores[name] for name in ("precision", "recall", "f1")] == pytest.approx(expected)


def test_intervals_hold_the_score_and_shrink_with_more_sequences():
    rng = np.random.default_rng(1)

    def width(rows: int) -> float:
        target = rng.integers(1, 6, (rows, 5))
        predicted = np.where(rng.random((rows, 1)) < 0.7, target, 7)
        scores = score_sequences(predicted, target)
        low, high = scores["exact_match_ci"]
        assert low < scores["exact_match"] < high
        return high - low

    assert width(4000) < width(100) / 3


def test_lengths_given_override_the_padding():
    predicted, target = np.array([[2, 0, 0]]), np.array([[2, 0, 0]])
    lengths = np.array([2])
    assert score_sequences(predicted, target, target_lengths=lengths, predicted_lengths=lengths)["exact_match"] == 1
    assert score_sequences(predicted, target, target_lengths=lengths)["exact_match"] == 0


@pytest.mark.parametrize("target", [np.zeros((0, 3), np.int64), np.zeros((2, 3), np.int64)])
def test_nothing_to_score(target):
    with pytest.raises(ValueError, match=r"no sequence|is empty"):
        score_sequences(target, target)
