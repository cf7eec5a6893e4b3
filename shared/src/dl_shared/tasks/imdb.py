"""Sentiment of film reviews: what every IMDb project loads, must beat, and reports."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from sklearn.metrics import confusion_matrix

from dl_shared.baselines.tfidf import tfidf_probabilities
from dl_shared.data.reviews import CLASSES, Reviews, Source, download_reviews, read_reviews, split_reviews
from dl_shared.errors import InputError
from dl_shared.files import fingerprint, write_text
from dl_shared.metrics.classification import calibration, score
from dl_shared.plots import classification
from dl_shared.plots import text as plots
from dl_shared.plots.curves import training_curves
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.sample.reviews import make_reviews
from dl_shared.tasks.evaluation import save_evaluation, side_by_side

SAMPLE_REVIEWS = 6000


@dataclass(frozen=True)
class Data:
    """The three parts; no text is in two of them."""

    train: Reviews
    validation: Reviews
    test: Reviews
    repeated: int
    """Reviews left out because their text came before."""
    source: str
    optimum: dict[str, float] | None
    """For sample data, scores of a reader who understands every test review: the flipped labels stay wrong."""
    class_names: tuple[str, ...] = CLASSES

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all texts and labels."""
        parts = (self.train, self.validation, self.test)
        return fingerprint([fingerprint(part.texts, part.labels) for part in parts])

    @property
    def rows(self) -> dict[str, int]:
        """Reviews in each part."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}


def load(source: str, *, seed: int, clean: bool = True, sample_size: int = SAMPLE_REVIEWS) -> Data:
    """Load reviews and split them.

    Args:
        source: `sample`, `hub` or a path.
        seed: chooses the rows of each part, and makes the sample.
        clean: take out markup and runs of space.
        sample_size: reviews in the sample.

    Raises:
        InputError: if the source cannot be used.
    """
    if source == "sample":
        return _sample(seed, sample_size)
    read = download_reviews() if source == "hub" else read_reviews(Path(source))
    splits = split_reviews(read, seed, cleaned=clean)
    described = "IMDb from the Hugging Face hub" if source == "hub" else source
    return Data(splits.train, splits.validation, splits.test, splits.repeated, described, None)


def _sample(seed: int, count: int) -> Data:
    made = make_reviews(count, seed)
    splits = split_reviews(Source(Reviews(made.texts, made.labels), None), seed)
    opinion = dict(zip(made.texts, made.opinions.tolist(), strict=True))  # a text has one opinion, whatever its label
    opinions = np.array([opinion[text] for text in splits.test.texts])
    sure = np.where(opinions[:, None] == np.arange(2), 1 - made.flip_rate, made.flip_rate)
    scores = _score(splits.test, sure)
    optimum = {name: scores[name] for name in ("accuracy", "precision", "recall", "f1", "loss")}
    described = f"sample: {count} reviews, seed {seed}"
    return Data(splits.train, splits.validation, splits.test, splits.repeated, described, optimum)


def keep_some(data: Data, train_reviews: int, seed: int, *, fewest: int = 500) -> Data:
    """The same data with a part of the training reviews, for a budget of time or to learn what labels are worth.

    Args:
        data: as loaded.
        train_reviews: how many to keep at most, the classes in proportion; 0 keeps all. The validation part shrinks
            likewise, but not below `fewest`; the test part stays as it is.
        seed: chooses them.
        fewest: validation reviews to keep, as far as there are so many.

    Raises:
        InputError: if they are too few to have both classes.
    """
    if train_reviews == 0 or train_reviews >= len(data.train):
        return data
    if train_reviews < 4:
        raise InputError(f"{train_reviews} reviews are too few to learn from; give at least 4, or 0 for all")
    share = train_reviews / len(data.train)
    kept = max(min(fewest, len(data.validation)), round(share * len(data.validation)))
    return replace(data, train=_some(data.train, train_reviews, seed), validation=_some(data.validation, kept, seed))


def _some(reviews: Reviews, count: int, seed: int) -> Reviews:
    """In their order, the classes in the same proportion up to rounding."""
    if count == len(reviews):
        return reviews
    rng = np.random.default_rng([seed, count])
    positive = rng.permutation(np.flatnonzero(reviews.labels))
    negative = rng.permutation(np.flatnonzero(reviews.labels == 0))
    share = min(count - 1, max(1, round(count * len(positive) / len(reviews))))
    return reviews.take(np.sort(np.concatenate([positive[:share], negative[: count - share]])))


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    run.record_data(
        source=data.source,
        fingerprint=data.fingerprint,
        rows=data.rows,
        repeated=data.repeated,
        class_names=list(data.class_names),
    )


def report(
    run: Run,
    data: Data,
    test_probabilities: Float[np.ndarray, "test 2"],
    validation_probabilities: Float[np.ndarray, "validation 2"] | None = None,
) -> dict[str, Any]:
    """Score the test part beside baseline and optimum; write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded; its history becomes the curves.
        data: as loaded.
        test_probabilities: of negative and positive, one row for each test review, in order.
        validation_probabilities: likewise for the validation part, when at hand.

    Returns:
        The `metrics` of summary.json; `precision`, `recall` and `f1` are those of the class `positive`.

    Raises:
        ValueError: if rows are missing, not finite, or not probabilities.
    """
    baseline_probabilities, metrics = _metrics(data, test_probabilities)
    if validation_probabilities is not None:
        metrics["validation"] = _score(data.validation, validation_probabilities)
    run.update("metrics", **metrics)
    predictions = _predictions(data, test_probabilities, baseline_probabilities)
    run.save_predictions(predictions)
    _save_misclassified(run, predictions)
    _save_pictures(run, data, test_probabilities, baseline_probabilities, metrics)
    write_page(run.path)
    return metrics


def evaluate(run_path: Path, data: Data, test_probabilities: Float[np.ndarray, "test 2"]) -> dict[str, Any]:
    """Score a finished run on the test part of other data; kept under RUN/evaluations/.

    The baseline is fitted on the training part of those data.
    """
    _, metrics = _metrics(data, test_probabilities)
    return save_evaluation(run_path, metrics, source=data.source, fingerprint=data.fingerprint, rows=len(data.test))


def _score(reviews: Reviews, probabilities: Float[np.ndarray, "reviews 2"]) -> dict[str, Any]:
    """Scores of both classes together, and of `positive` under its plain names."""
    if len(probabilities) != len(reviews):
        raise ValueError(f"{len(probabilities):,} rows for {len(reviews):,} reviews: give one for each")
    scores = score(reviews.labels, probabilities, CLASSES)
    positive = scores["per_class"]["positive"]
    return scores | {name: value for name, value in positive.items() if name != "support"}


def baseline(data: Data) -> tuple[Float[np.ndarray, "test 2"], dict[str, Any]]:
    """Probabilities of the test reviews by TF-IDF and logistic regression, and their scores."""
    probabilities = tfidf_probabilities(data.train.texts, data.train.labels, data.test.texts)
    return probabilities, {"name": "TF-IDF and logistic regression", **_score(data.test, probabilities)}


def _metrics(data: Data, probabilities: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
    test = _score(data.test, probabilities)
    baseline_probabilities, baseline_scores = baseline(data)
    figures = side_by_side("f1", test=test, baseline=baseline_scores, optimum=data.optimum)
    return baseline_probabilities, {"validation": {}} | figures


def _predictions(data: Data, probabilities: np.ndarray, baseline_probabilities: np.ndarray) -> pd.DataFrame:
    names = np.array(data.class_names)
    return pd.DataFrame(
        {
            "review": data.test.texts,
            "label": names[data.test.labels],
            "predicted": names[probabilities.argmax(axis=1)],
            "p(positive)": probabilities[:, 1],
            "baseline p(positive)": baseline_probabilities[:, 1],
        }
    )


def _save_misclassified(run: Run, predictions: pd.DataFrame) -> None:
    """misclassified.csv: the reviews with a wrong label, the surest mistake first."""
    wrong = predictions[predictions["predicted"] != predictions["label"]]
    surest_first = (wrong["p(positive)"] - 0.5).abs().sort_values(ascending=False, kind="stable").index
    if not run.follows:
        write_text(run.path / "misclassified.csv", wrong.loc[surest_first].to_csv(index=False))


def _lengths(texts: list[str]) -> Int[np.ndarray, " texts"]:
    return np.array([len(text.split()) for text in texts])


def _save_pictures(
    run: Run, data: Data, probabilities: np.ndarray, baseline_probabilities: np.ndarray, metrics: dict[str, Any]
) -> None:
    labels, names, lengths = data.test.labels, data.class_names, _lengths(data.test.texts)
    predicted = probabilities.argmax(axis=1)
    history = run.history()
    if history:
        axes = {"loss": "loss (nats)", "accuracy": "accuracy (share of reviews)", "f1": "F1 of positive"}
        logged = {name: label for name, label in axes.items() if any(row.get(name) is not None for row in history)}
        levels = {
            name: {"baseline": metrics["baseline"][name]} | ({"optimum": data.optimum[name]} if data.optimum else {})
            for name in ("accuracy", "f1")
        }
        if logged:
            figure = training_curves(history, logged, references=levels)
            run.save_figure(figure, "curves", caption="Over training, beside the baseline.")
    counts = confusion_matrix(labels, predicted, labels=np.arange(len(names)))
    run.save_figure(
        classification.confusion(counts, names), "confusion", caption="Rows are the truth, columns the prediction."
    )
    run.save_figure(
        plots.probability_histogram(probabilities[:, 1], labels, names),
        "probabilities",
        caption="How sure the model is; right of the dashed line it says positive.",
    )
    run.save_figure(
        plots.confident_mistakes(data.test.texts, labels, probabilities, names),
        "mistakes",
        caption="The wrong labels of which the model is surest; all are in misclassified.csv.",
    )
    wrong = {
        "model": predicted != labels,
        "TF-IDF baseline": baseline_probabilities.argmax(axis=1) != labels,
    }
    run.save_figure(
        plots.errors_by_length(lengths, wrong),
        "errors_by_length",
        caption="Share of wrong labels, short reviews first.",
    )
    run.save_figure(
        classification.reliability(calibration(labels, probabilities)),
        "reliability",
        caption="Accuracy against confidence; on the dashed line, confidence can be taken at its word.",
    )
    parts = {"training": data.train, "validation": data.validation, "test": data.test}
    shares = {name: np.bincount(part.labels, minlength=len(names)).tolist() for name, part in parts.items()}
    run.save_figure(plots.label_shares(shares, names), "labels", caption="The sentiments in each part.")
    run.save_figure(
        plots.length_distribution(_lengths(data.train.texts), data.train.labels, names),
        "lengths",
        caption="Words in the training reviews, by sentiment.",
    )
