"""The sample: reproducible, balanced, wrong at the stated rate, and out of reach of a linear model."""

import numpy as np
import pytest

from dl_shared.baselines.pixels import pixel_probabilities
from dl_shared.data.image_sets import Split
from dl_shared.sample import images as sample


@pytest.fixture(scope="module")
def made():
    return sample.make_images(seed=3, train=1000, test=500)


def test_shapes_and_types(made):
    assert made.train_images.shape == (1000, 32, 32, 3)
    assert made.test_images.shape == (500, 32, 32, 3)
    assert made.train_images.dtype == np.uint8
    assert made.test_labels.dtype == np.int64
    assert len(made.class_names) == 10
    small = sample.make_images(seed=3, train=20, test=10, size=28, channels=1)
    assert small.train_images.shape == (20, 28, 28, 1)


def test_the_seed_decides_everything(made):
    again, other = (sample.make_images(seed=seed, train=1000, test=500) for seed in (3, 4))
    for name in ("train_images", "train_labels", "test_images", "test_labels"):
        np.testing.assert_array_equal(getattr(made, name), getattr(again, name))
        assert not np.array_equal(getattr(made, name), getattr(other, name))


def test_no_test_image_occurs_in_training(made):
    training = {image.tobytes() for image in made.train_images}
    assert len(training) == 1000
    assert not any(image.tobytes() in training for image in made.test_images)


def test_labels_are_wrong_at_exactly_the_stated_rate():
    clean, noisy = (sample.make_images(seed=5, train=1000, test=500, label_noise=rate) for rate in (0.0, 0.1))
    for part, n in (("train", 1000), ("test", 500)):
        truth, labels = (getattr(made, f"{part}_labels") for made in (clean, noisy))
        assert np.bincount(truth, minlength=10).tolist() == [n // 10] * 10
        wrong = labels != truth
        assert wrong.sum() == n // 10
        assert len(np.unique(labels[wrong])) == 10
    np.testing.assert_array_equal(clean.test_images, noisy.test_images)


def test_optimum_is_what_a_model_that_knows_the_truth_scores():
    from dl_shared.metrics.classification import score

    clean, noisy = (sample.make_images(seed=6, train=10, test=4000, label_noise=rate) for rate in (0.0, 0.1))
    oracle = np.full((4000, 10), 0.1 / 9)
    oracle[np.arange(4000), clean.test_labels] = 0.9
    reached = score(noisy.test_labels, oracle, replicates=10)
    assert noisy.optimum["accuracy"] == reached["accuracy"] == 0.9
    assert noisy.optimum["macro_f1"] == pytest.approx(reached["macro_f1"], abs=0.005)
    assert noisy.optimum["loss"] == pytest.approx(reached["loss"], abs=1e-9)


def test_each_pattern_survives_mirroring():
    """Columns of a mirrored image vary as the image's own do: no pattern turns into another class."""
    made = sample.make_images(seed=8, train=4000, test=10, channels=1, label_noise=0.0)
    for label in range(10):
        images = made.train_images[made.train_labels == label, :, :, 0].astype(float)
        spectrum = np.abs(np.fft.fft2(images - images.mean(axis=(1, 2), keepdims=True))).mean(axis=0)
        mirrored = np.abs(np.fft.fft2(images[:, :, ::-1] - images.mean(axis=(1, 2), keepdims=True))).mean(axis=0)
        strong = spectrum > np.quantile(spectrum, 0.9)
        np.testing.assert_allclose(spectrum[strong], mirrored[strong], rtol=0.25)


def test_a_linear_model_stays_near_chance(made):
    train, test = Split(made.train_images, made.train_labels), Split(made.test_images, made.test_labels)
    probabilities = pixel_probabilities(train, test.images, 10)
    assert np.mean(probabilities.argmax(axis=1) == test.labels) < 0.3


@pytest.mark.parametrize("wrong", [{"train": 9}, {"test": 0}, {"size": 8}, {"channels": 2}, {"label_noise": 0.9}])
def test_refuses_impossible_sizes(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        sample.make_images(seed=0, **{"train": 10, "test": 10, **wrong})
