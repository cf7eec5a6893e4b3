"""How good class probabilities are: from the counts of a confusion matrix and from sums over all rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import confusion_matrix

from dl_shared.metrics.bootstrap import bootstrap_ci, bootstrap_counts_ci

CALIBRATION_BINS = 15  # as in Guo et al. 2017


def score(
    labels: Int[np.ndarray, " n"],
    probabilities: Float[np.ndarray, "n classes"],
    class_names: Sequence[str] | None = None,
    *,
    top_k: int = 3,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """Every figure of a classifier, each with its 95 % bootstrap interval under `<name>_ci`.

    Args:
        labels: the true classes, from 0.
        probabilities: rows that sum to 1; the prediction is the largest.
        class_names: in the order of the labels; their numbers when not given.
        top_k: a row also counts for `top_<k>_accuracy` when the truth is among this many most probable classes; left
            out when there are no more classes than that.
        replicates: how many times the rows are drawn for the intervals.
        seed: of those drawings.

    Returns:
        `accuracy`, `loss` (cross-entropy in nats), `macro_precision`, `macro_recall`, `macro_f1`, `ece`,
        `top_<k>_accuracy`, and `per_class`: for each name `precision`, `recall`, `f1` and `support`. Drawing rows again
        adds noise to every bin of the calibration error, so the interval of `ece` leans upwards.

    Raises:
        ValueError: if the rows are not probabilities of these labels.
    """
    check_probabilities(labels, probabilities)
    classes = probabilities.shape[1]
    names = [str(label) for label in range(classes)] if class_names is None else list(class_names)
    if len(names) != classes:
        raise ValueError(f"{len(names)} class names for {classes} columns of probabilities")
    confusion = confusion_matrix(labels, probabilities.argmax(axis=1), labels=np.arange(classes))
    options: dict[str, int] = {"replicates": replicates, "seed": seed}
    result: dict[str, Any] = {}

    def put(name: str, value: float, interval: tuple[float, float]) -> None:
        result[name], result[f"{name}_ci"] = float(value), [float(bound) for bound in interval]

    figures = confusion_scores(confusion)
    low, high = bootstrap_counts_ci(_stacked, confusion, **options)
    for row, name in enumerate(("accuracy", "macro_precision", "macro_recall", "macro_f1")):
        put(name, figures[name], (low[row], high[row]))
    losses = row_losses(labels, probabilities)
    put("loss", losses.mean(), bootstrap_ci(np.mean, losses, **options))
    binned = _binned_rows(labels, probabilities)
    put("ece", _ece(*binned), bootstrap_ci(_ece, *binned, **options))
    if top_k < classes:
        hits = in_top_k(labels, probabilities, top_k)
        counts = np.array([np.sum(~hits), np.sum(hits)])
        interval = bootstrap_counts_ci(lambda count: count[1] / count.sum(), counts, **options)
        put(f"top_{top_k}_accuracy", hits.mean(), interval)

    per_class = np.stack([figures["precision"], figures["recall"], figures["f1"]])
    bounds = np.stack([low[4:].reshape(3, classes), high[4:].reshape(3, classes)], axis=-1)
    result["per_class"] = {}
    for label, name in enumerate(names):
        entry: dict[str, Any] = {"support": int(confusion[label].sum())}
        for row, figure in enumerate(("precision", "recall", "f1")):
            entry[figure], entry[f"{figure}_ci"] = float(per_class[row, label]), bounds[row, label].tolist()
        result["per_class"][name] = entry
    return result


def check_probabilities(labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"]) -> None:
    """Refuse what is not one distribution over the classes for each label.

    Raises:
        ValueError: on no rows, labels out of range, values that are not finite or negative, or sums other than 1.
    """
    if len(labels) == 0:
        raise ValueError("there are no rows to score")
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}, probabilities have {probabilities.shape[1]} columns"
        )
    if not np.isfinite(probabilities).all():
        rows = np.count_nonzero(~np.isfinite(probabilities).all(axis=1))
        raise ValueError(f"probabilities of {rows:,} of {len(labels):,} rows are not finite: the model has diverged")
    sums = probabilities.sum(axis=1, dtype=np.float64)
    if probabilities.min() < 0 or np.abs(sums - 1).max() > 1e-2:  # bf16 rows are off by up to 2 ** -8 a term
        raise ValueError("probabilities must be at least 0 and sum to 1 in each row: apply the softmax first")


def confusion_scores(confusion: Int[np.ndarray, "classes classes"]) -> dict[str, Any]:
    """Accuracy, precision, recall and F1 from counts; rows of the matrix are the truth, columns the prediction.

    A ratio without any row to count is 0. Macro figures are means over the classes that occur as truth or prediction.
    """
    hits, predicted, actual = np.diag(confusion), confusion.sum(axis=0), confusion.sum(axis=1)
    precision, recall = _ratio(hits, predicted), _ratio(hits, actual)
    f1 = _ratio(2 * hits, predicted + actual)
    occurs = predicted + actual > 0
    return {
        "accuracy": float(hits.sum() / confusion.sum()),
        "macro_precision": float(precision[occurs].mean()),
        "macro_recall": float(recall[occurs].mean()),
        "macro_f1": float(f1[occurs].mean()),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _stacked(confusion: np.ndarray) -> np.ndarray:
    return np.hstack(list(confusion_scores(confusion).values()))


def row_losses(labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"]) -> Float[np.ndarray, " n"]:
    """Cross-entropy of each row in nats, -log p(label); probabilities below float32's epsilon count as epsilon."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(chosen, np.finfo(np.float32).eps))


def in_top_k(labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"], k: int) -> np.ndarray:
    """Whether fewer than k other classes are at least as probable as the truth: ties count against the model."""
    chosen = probabilities[np.arange(len(labels)), labels][:, None]
    return np.count_nonzero(probabilities >= chosen, axis=1) <= k


@dataclass(frozen=True)
class Calibration:
    """Rows in bins of equal width by confidence, the probability of the predicted class."""

    edges: Float[np.ndarray, " edges"]
    count: Int[np.ndarray, " bins"]
    confidence: Float[np.ndarray, " bins"]
    """Mean confidence in the bin; NaN when it is empty."""
    accuracy: Float[np.ndarray, " bins"]
    """Share of correct predictions in the bin; NaN when it is empty."""
    ece: float
    """Expected calibration error: mean over rows of |accuracy - confidence| of their bin (Guo et al. 2017, eq. 3)."""


def calibration(labels: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"]) -> Calibration:
    """How far confidence can be taken at its word."""
    bins, confidence, correct = _binned_rows(labels, probabilities)
    count, confidences, corrects = (
        np.bincount(bins, weights=weights, minlength=CALIBRATION_BINS) for weights in (None, confidence, correct)
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 is the NaN of an empty bin
        means = confidences / count, corrects / count
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1)
    return Calibration(edges, count.astype(np.int64), *means, _ece(bins, confidence, correct))


def _binned_rows(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row its bin, its confidence, and whether it is correct."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(np.int64) - 1, 0, CALIBRATION_BINS - 1)
    return bins, confidence, (probabilities.argmax(axis=1) == labels).astype(np.float64)


def _ece(bins: np.ndarray, confidence: np.ndarray, correct: np.ndarray) -> float:
    return float(np.abs(np.bincount(bins, weights=correct - confidence)).sum() / len(bins))
