"""Fit a linear sentiment model on hashed n-grams, test what was written, and write its card.

The fit is convex and takes no random numbers: a run that was stopped is simply made again.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from sklearn.linear_model import LogisticRegression

from dl_architectures.nlp.classical.ngrams import hashed_ngrams, normalised_words, word_spans
from dl_architectures.nlp.classical.sentiment import NgramSentiment
from dl_architectures.nlp.training.cards import Card, Figure, command, write_card
from dl_architectures.nlp.training.sentiment.config import MODULE, PRESETS, Config
from dl_shared.data.reviews import Reviews
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from dl_shared.tasks import imdb

SMOOTHING = 1.0  # added to every count of Naive Bayes
TIMED = 200  # reviews answered one by one, for the time of an answer


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Fit, write the model, test what was written; returns the run directory.

    Raises:
        InputError: if the data or the run to resume cannot be used.
    """
    with Run.start(
        MODULE, config, task="imdb", framework="scikit-learn", primary="accuracy", runs_dir=runs_dir, resume=resume
    ) as run:
        data = imdb.load(config.data, seed=config.seed)
        imdb.record_data(run, data)
        start = time.process_time()  # the fit uses one core; on a busy machine the clock on the wall tells little
        model, chosen = fit(config, data)
        seconds = time.process_time() - start
        folder = Path(config.output) if config.output else run.path / "model"
        model.save(folder)
        written = NgramSentiment.load(folder)
        metrics = imdb.report(run, data, probabilities(written, data.test.texts))
        run.update("metrics", chosen=chosen)
        answer_ms = time_answers(written, data.test.texts[:TIMED])
        run.update("cost", train_seconds=seconds, parameters=len(model.weights) + 1, answer_ms=answer_ms)
        write_card(folder, describe(config, data, run, metrics), run.summary["versions"])
        say(f"the model is in {folder}")
    return run.path


def fit(config: Config, data: imdb.Data) -> tuple[NgramSentiment, dict[str, float]]:
    """Choose the penalty on the validation part, then fit on training and validation part together.

    Returns:
        The model; the chosen strength, and its validation loss and accuracy.
    """
    trained, held_out = features(data.train, config), features(data.validation, config)
    scored = []
    for strength in config.strengths:
        weights, bias = naive_bayes_regression(trained, data.train.labels, strength)
        log_odds = _scaled(held_out) @ weights + bias
        right = np.where(data.validation.labels == 1, log_odds, -log_odds)
        scored.append((float(np.logaddexp(0, -right).mean()), float((right > 0).mean()), strength))
        say(f"strength {strength:g}: validation loss {scored[-1][0]:.4f}, accuracy {scored[-1][1]:.4f}")
    loss, accuracy, strength = min(scored)
    labels = np.concatenate([data.train.labels, data.validation.labels])
    weights, bias = naive_bayes_regression(sp.vstack([trained, held_out]).tocsr(), labels, strength)
    chosen = {"strength": strength, "validation_loss": loss, "validation_accuracy": accuracy}
    return NgramSentiment(weights.astype(np.float16), bias, config.order), chosen


def features(reviews: Reviews, config: Config) -> sp.csr_matrix:
    """A row for each review: 1 in every bucket that one of its n-grams falls into."""
    rows: list[Int[np.ndarray, " distinct"]] = []
    with progress(len(reviews), "n-grams", unit="reviews") as bar:
        for text in reviews.texts:
            words = normalised_words(text, word_spans(text))
            rows.append(np.unique(hashed_ngrams(words, order=config.order, bits=config.bits).buckets))
            bar.advance(1)
    ends = np.cumsum([0, *map(len, rows)])
    columns = np.concatenate(rows)
    return sp.csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=(len(rows), 2**config.bits))


def naive_bayes_regression(
    rows: sp.csr_matrix, labels: Int[np.ndarray, " reviews"], strength: float
) -> tuple[Float[np.ndarray, " buckets"], float]:
    """Logistic regression on features scaled by their log-count ratio (Wang and Manning 2012, section 2.3).

    Args:
        rows: of ones, as `features` makes them.
        labels: 0 or 1.
        strength: inverse strength of the penalty.

    Returns:
        Weights for rows of length 1, and the bias.
    """
    positive, negative = (np.asarray(rows[labels == label].sum(axis=0)).ravel() for label in (1, 0))
    ratio = np.log((positive + SMOOTHING) / (positive + SMOOTHING).sum())
    ratio -= np.log((negative + SMOOTHING) / (negative + SMOOTHING).sum())
    scaled = (_scaled(rows) @ sp.diags(ratio)).tocsr()
    scaled.eliminate_zeros()
    model = LogisticRegression(C=strength, solver="liblinear", max_iter=200, random_state=0).fit(scaled, labels)
    return ratio * model.coef_[0], float(model.intercept_[0])


def _scaled(rows: sp.csr_matrix) -> sp.csr_matrix:
    """Rows of ones, made to have the length 1."""
    return sp.diags(1 / np.sqrt(np.maximum(1, rows.getnnz(axis=1)))) @ rows


def probabilities(model: NgramSentiment, texts: Sequence[str]) -> Float[np.ndarray, "texts 2"]:
    """Of negative and positive."""
    positive = 1 / (1 + np.exp(-np.array([model.log_odds(text) for text in texts])))
    return np.stack([1 - positive, positive], axis=1)


def time_answers(model: NgramSentiment, texts: Sequence[str]) -> float:
    """Milliseconds of the median answer, with a weight for every word."""
    seconds = []
    for text in texts:
        start = time.perf_counter()
        model.answer(text)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def describe(config: Config, data: imdb.Data, run: Run, metrics: dict[str, Any]) -> Card:
    """The card, from what this run measured."""
    test, baseline, cost = metrics["test"], metrics["baseline"], run.summary["cost"]
    named = {"accuracy": "accuracy", "f1": "F1 of positive", "loss": "cross-entropy, nats", "ece": "calibration error"}
    kind = "made-up film reviews" if config.data == "sample" else "film reviews of IMDb (Maas et al. 2011)"
    tried = ", ".join(f"{strength:g}" for strength in config.strengths)
    size = len(data.train) + len(data.validation)
    return Card(
        title="Sentiment of English reviews, by n-grams",
        metadata={"license": "other", "pipeline_tag": "text-classification", "language": "en"},
        about=(
            f"A linear model on words and on n-grams of up to {config.order} of them, hashed into "
            f"{2**config.bits:,} buckets with a weight in half precision each. The weights start from Naive Bayes "
            "(Wang and Manning 2012, NB-SVM; here with logistic regression). Being linear, it tells exactly what each "
            "word did for the verdict. It is read by `dl_architectures.nlp.classical.sentiment`; it is no network."
        ),
        data=(
            f"{size:,} {kind}, half of them positive; a text that occurs twice was kept once. The authors of the data "
            "state no licence and ask for a citation; take it that weights learned from them are under the same terms. "
            f"Fingerprint {data.fingerprint[:16]}."
        ),
        command=command(MODULE, config, PRESETS["full"]),
        made=(
            f"{cost['train_seconds']:.0f} seconds of one core. Of the inverse penalties {tried} the one"
            f" with the least loss on {len(data.validation):,} held-out reviews was taken "
            f"({run.summary['metrics']['chosen']['strength']:g}), and all {size:,} were then learned from."
        ),
        libraries=("numpy", "scikit-learn"),
        measured_on=f"{len(data.test):,} test reviews that it never saw",
        baseline="TF-IDF and logistic regression",
        figures=[
            *(
                Figure(name=label, value=test[name], interval=test[f"{name}_ci"], beside=baseline[name])
                for name, label in named.items()
            ),
            Figure(name="median answer, milliseconds", value=cost["answer_ms"]),
        ],
        limits=(
            "English film reviews alone: it says `positive` or `negative` of anything, and has no `neutral`. It knows "
            "words and their neighbours, not sentences: irony, and praise that is taken back far away, escape it. It "
            "is trained on whole reviews, not on single sentences. Ratings in the text (`8 out of 10`) count for much."
        ),
    )
