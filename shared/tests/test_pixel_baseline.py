"""The linear baseline learns what is linear, copes with absent classes, and is computed once."""

import numpy as np
import pytest

from dl_shared.baselines import pixels
from dl_shared.data.image_sets import Split


def brighter_classes(seed, n=300):
    """Class k has one bright quarter of the image, and much noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, size=n)
    images = rng.integers(0, 200, size=(n, 8, 8, 1), dtype=np.uint8)
    for row, label in enumerate(labels):
        images[row, 4 * (label // 2) :, 4 * (label % 2) :][:4, :4] += 55
    return Split(images, labels)


def test_learns_a_linear_rule():
    train, test = brighter_classes(0, 1000), brighter_classes(1)
    probabilities = pixels.pixel_probabilities(train, test.images, 3)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == test.labels) > 0.9


def test_class_without_images_is_never_predicted():
    train = brighter_classes(2)
    shifted = Split(train.images, train.labels + 1)
    probabilities = pixels.pixel_probabilities(shifted, train.images[:5], 6)
    assert probabilities.shape == (5, 6)
    assert (probabilities[:, [0, 4, 5]] == 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_constant_images_give_the_class_shares():
    train = Split(np.zeros((40, 8, 8, 1), np.uint8), np.array([0] * 30 + [1] * 10))
    probabilities = pixels.pixel_probabilities(train, train.images[:2], 2)
    np.testing.assert_allclose(probabilities, [[0.75, 0.25]] * 2, atol=0.02)


def test_is_fitted_once_for_the_same_data(monkeypatch):
    train = brighter_classes(3)
    first = pixels.pixel_probabilities(train, train.images, 3)
    monkeypatch.setattr(pixels, "LogisticRegression", None)  # another fit would fail
    np.testing.assert_array_equal(pixels.pixel_probabilities(train, train.images, 3), first)
    with pytest.raises(TypeError):
        pixels.pixel_probabilities(train.rows(np.arange(299)), train.images, 3)
