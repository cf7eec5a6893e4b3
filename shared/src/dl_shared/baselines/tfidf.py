"""Logistic regression on TF-IDF weights of words and pairs of words: the classic of sentiment analysis."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from dl_shared.baselines.cache import cached
from dl_shared.files import fingerprint

MAX_FEATURES = 50_000


def tfidf_pipeline() -> Pipeline:
    """The unfitted model: texts in, classes out; of the words and pairs in two texts or more, the most frequent."""
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=MAX_FEATURES, sublinear_tf=True, dtype=np.float32),
        LogisticRegression(C=10, max_iter=200),
    )


def tfidf_probabilities(
    train_texts: Sequence[str], train_labels: Int[np.ndarray, " train"], texts: Sequence[str]
) -> Float[np.ndarray, "texts classes"]:
    """Class probabilities of texts, by a model fitted on the training texts; cached.

    Raises:
        ValueError: if there are not as many labels as training texts.
    """
    if len(train_texts) != len(train_labels):
        raise ValueError(f"{len(train_texts)} texts and {len(train_labels)} labels")

    def compute() -> dict[str, np.ndarray]:
        model = tfidf_pipeline().fit(train_texts, train_labels)
        return {"probabilities": model.predict_proba(texts).astype(np.float64)}

    key = fingerprint([fingerprint(train_texts), fingerprint(texts)], train_labels)
    return cached("tfidf", key, compute)["probabilities"]
