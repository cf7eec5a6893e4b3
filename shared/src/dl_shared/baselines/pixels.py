"""Logistic regression on raw pixels: what an image classifier must beat."""

import warnings

import numpy as np
from jaxtyping import Float32, UInt8
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from dl_shared.baselines.cache import cached
from dl_shared.data.image_sets import Split
from dl_shared.files import fingerprint

VERSION = 1
# Chosen on CIFAR-10's validation part. A tenth of the weight loses a point of accuracy, ten times as much does too, and
# so do twice the iterations: stopping early regularises.
ITERATIONS = 50
FIT_WEIGHT = 40.0  # of the mean cross-entropy against half the squared weights
SPREAD = np.float32(64)  # of natural images' pixels, about
SMALL = 10_000  # images up to which a second thread of the matrix product costs more than it brings


def pixel_probabilities(
    train: Split, images: UInt8[np.ndarray, "n height width channels"], classes: int
) -> Float32[np.ndarray, "n classes"]:
    """Fit on the training images, and give each of `images` its class probabilities; paid for once per data.

    Pixels are taken relative to the training part's mean of each channel; the fit is penalised (L2) and its
    strength does not depend on the number of images. A class without training images gets probability 0.

    Raises:
        ValueError: if the training images are all of one class.
    """
    digest = fingerprint(train.images, train.labels, images)

    def compute() -> dict[str, np.ndarray]:
        return {"probabilities": _fit_and_predict(train, images, classes)}

    return cached(f"pixels-{classes}", digest, compute, VERSION)["probabilities"]


def _fit_and_predict(train: Split, images: np.ndarray, classes: int) -> np.ndarray:
    mean = train.images.mean(axis=(0, 1, 2), dtype=np.float64).astype(np.float32)

    def features(batch: np.ndarray) -> np.ndarray:
        return ((batch - mean) / SPREAD).reshape(len(batch), -1)

    model = LogisticRegression(C=FIT_WEIGHT / len(train), max_iter=ITERATIONS)
    with warnings.catch_warnings(), threadpool_limits(1 if len(train) < SMALL else None):
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped on purpose
        model.fit(features(train.images), train.labels)
    probabilities = np.zeros((len(images), classes), np.float32)
    probabilities[:, model.classes_] = model.predict_proba(features(images))
    return probabilities
