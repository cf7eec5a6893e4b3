"""Image classification: what every CIFAR-10 project loads, must beat, and reports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from sklearn.metrics import confusion_matrix

from dl_shared.baselines.pixels import pixel_probabilities
from dl_shared.data.image_files import read_image_files
from dl_shared.data.image_sets import ImageSet, Split
from dl_shared.data.images import load_images, stratified_mask
from dl_shared.errors import InputError
from dl_shared.metrics.classification import calibration, score
from dl_shared.plots import classification as plots
from dl_shared.plots.curves import training_curves
from dl_shared.progress import say
from dl_shared.report import write_page
from dl_shared.runs import Run, read_summary
from dl_shared.tasks.evaluation import save_evaluation, side_by_side

__all__ = ["Data", "Split", "classify", "evaluate", "load", "record_data", "report", "score_test"]

SIDE = 32  # pixels of an image's height and width


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


def load(source: str, *, seed: int, dataset: str | ImageSet = "cifar10", validation_fraction: float = 0.1) -> Data:
    """Load images, say where they came from, and carve a validation part from the training part, class by class.

    Args:
        source: `sample`, `hub` or a path.
        seed: chooses the validation rows, and makes the sample.
        dataset: `cifar10`, `mnist` or `fashion_mnist`, or the description of another.
        validation_fraction: share of each class's training images.

    Raises:
        InputError: if the source cannot be used, or the fraction is not between 0 and 1.
    """
    if not 0 < validation_fraction < 1:
        raise InputError(f"validation_fraction must be between 0 and 1, got {validation_fraction}")
    loaded = load_images(source, dataset, seed=seed)
    say(f"data: {loaded.source}")
    for quirk in loaded.quirks:
        say(f"note: {quirk}")
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


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    rows = {"train": len(data.train), "validation": len(data.validation), "test": len(data.test)}
    run.record_data(
        source=data.source,
        fingerprint=data.fingerprint,
        rows=rows,
        class_names=list(data.class_names),
        quirks=list(data.quirks),
    )


def report(
    run: Run,
    data: Data,
    test_probabilities: Float[np.ndarray, "test classes"],
    validation_probabilities: Float[np.ndarray, "validation classes"] | None = None,
) -> dict[str, Any]:
    """Score the test part, beside baseline and optimum, and write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded; its history becomes the curves.
        data: as loaded.
        test_probabilities: one row for each test image, in order.
        validation_probabilities: likewise for the validation part, when at hand.

    Returns:
        The `metrics` of summary.json.

    Raises:
        ValueError: if rows are missing, not finite, or not probabilities.
    """
    metrics = score_test(data, test_probabilities)
    if validation_probabilities is not None:
        metrics["validation"] = score(data.validation.labels, validation_probabilities, data.class_names)
    run.update("metrics", **metrics)
    run.save_predictions(_predictions(data, test_probabilities))
    _save_pictures(run, data, test_probabilities, metrics)
    write_page(run.path)
    return metrics


def classify(
    run_path: Path,
    paths: Sequence[Path],
    predict: Callable[[np.ndarray], np.ndarray],
    *,
    class_names: Sequence[str] = (),
    shape: tuple[int, int] = (SIDE, 3),
) -> list[dict[str, Any]]:
    """One row for each image file, in the order given: the likeliest class, and the probability of each.

    Args:
        run_path: the run directory.
        paths: of any size; they are cut and shrunk to what was learned from.
        predict: takes uint8 images `(n, height, width, channels)`, returns probabilities `(n, classes)`.
        class_names: the run's own unless given.
        shape: height, and channels, of what was learned from.

    Raises:
        InputError: if a file is no image.
    """
    names = class_names or read_summary(run_path)["data"]["class_names"]
    return [
        {"file": str(path), "predicted": names[int(row.argmax())], "confidence": float(row.max())}
        | {f"p({name})": float(value) for name, value in zip(names, row, strict=True)}
        for path, row in zip(paths, predict(read_image_files(paths, *shape)), strict=True)
    ]


def evaluate(run_path: Path, source: str, predict: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """Score a finished run on the test part of another source; kept under RUN/evaluations/.

    Args:
        run_path: the run directory.
        source: `sample`, `hub` or a path.
        predict: takes uint8 images `(n, height, width, channels)`, returns probabilities `(n, classes)`.

    Returns:
        The same as `report`. The baseline is fitted on the training part of the other source.

    Raises:
        InputError: if the source cannot be used, or has other classes than the run.
    """
    summary = read_summary(run_path)
    data = load(source, seed=summary["seed"])
    known = summary["data"].get("class_names")
    if known is not None and tuple(known) != data.class_names:
        raise InputError(
            f"{source} has the classes {', '.join(data.class_names)}, the run knows {', '.join(known)}: "
            "evaluate on data of the same classes"
        )
    metrics = score_test(data, predict(data.test.images))
    return save_evaluation(run_path, metrics, source=data.source, fingerprint=data.fingerprint, rows=len(data.test))


def score_test(data: Data, test_probabilities: Float[np.ndarray, "test classes"]) -> dict[str, Any]:
    """Scores of the test part, beside baseline and optimum."""
    classes = len(data.class_names)
    test = score(data.test.labels, test_probabilities, data.class_names)
    linear = pixel_probabilities(data.train, data.test.images, classes)
    baseline = {"name": "logistic regression on pixels", **score(data.test.labels, linear, data.class_names)}
    return {"validation": {}} | side_by_side("accuracy", test=test, baseline=baseline, optimum=data.optimum)


def _predictions(data: Data, probabilities: np.ndarray) -> pd.DataFrame:
    names = np.array(data.class_names)
    predicted = probabilities.argmax(axis=1)
    columns = {"label": names[data.test.labels], "predicted": names[predicted], "confidence": probabilities.max(axis=1)}
    return pd.DataFrame(columns | {f"p({name})": probabilities[:, label] for label, name in enumerate(names)})


def _save_pictures(run: Run, data: Data, probabilities: np.ndarray, metrics: dict[str, Any]) -> None:
    test, names = data.test, data.class_names
    counts = confusion_matrix(test.labels, probabilities.argmax(axis=1), labels=np.arange(len(names)))
    history = run.history()
    if history:
        levels = {"baseline": metrics["baseline"]["accuracy"]}
        if data.optimum:
            levels["optimum"] = data.optimum["accuracy"]
        axes = {"loss": "loss (nats)", "accuracy": "accuracy (share of images)"}
        figure = training_curves(history, axes, references={"accuracy": levels})
        run.save_figure(figure, "curves", caption="Loss and accuracy over training, beside the baseline.")
    run.save_figure(
        plots.confusion(counts, names), "confusion", caption="What is taken for what: rows are the truth, row by row."
    )
    run.save_figure(
        plots.per_class(metrics["test"]["per_class"]), "per_class", caption="Each class with its 95 % intervals."
    )
    run.save_figure(
        plots.misclassified(test.images, test.labels, probabilities, names),
        "misclassified",
        caption="The mistakes made with most confidence: the truth above, the prediction below.",
    )
    run.save_figure(
        plots.sample_predictions(test.images, test.labels, probabilities, names),
        "sample_predictions",
        caption="Test images drawn at random, with the prediction and its confidence.",
    )
    run.save_figure(
        plots.reliability(calibration(test.labels, probabilities)),
        "reliability",
        caption="Accuracy against confidence; on the dashed line, confidence can be taken at its word.",
    )
