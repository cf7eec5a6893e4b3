"""Image classification: what every CIFAR-10 project loads, must beat, and reports."""

from dataclasses import dataclass

from dl_shared.data.image_sets import Split
from dl_shared.data.images import load_images, stratified_mask
from dl_shared.errors import InputError


@dataclass(frozen=True)
class Data:
    """The three parts. Validation is carved from training; the test part is scored once, at the end."""

    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    """Where the images came from, in words."""
    fingerprint: str
    """SHA-256 of the decoded training and test arrays, before validation was carved out."""
    quirks: tuple[str, ...]
    optimum: dict[str, float] | None
    """The best `accuracy`, `loss` and `macro_f1` any model can expect, for sample data; else None."""


def load(source: str, *, seed: int, dataset: str = "cifar10", validation_fraction: float = 0.1) -> Data:
    """Load images and carve a validation part from the training part, class by class.

    Args:
        source: `sample`, `hub` or a path.
        seed: chooses the validation rows, and makes the sample.
        dataset: `cifar10`, `mnist` or `fashion_mnist`.
        validation_fraction: share of each class's training images.

    Raises:
        InputError: if the source cannot be used, or the fraction is not between 0 and 1.
    """
    if not 0 < validation_fraction < 1:
        raise InputError(f"validation_fraction must be between 0 and 1, got {validation_fraction}")
    loaded = load_images(source, dataset, seed=seed)
    held_out = stratified_mask(loaded.train.labels, validation_fraction, seed)
    return Data(
        train=loaded.train.rows(~held_out),
        validation=loaded.train.rows(held_out),
        test=loaded.test,
        class_names=loaded.class_names,
        source=loaded.source,
        fingerprint=loaded.fingerprint,
        quirks=loaded.quirks,
        optimum=loaded.optimum,
    )
