"""Sentiment by a linear model on hashed n-grams: what each word did for the verdict follows from it exactly.

The log-odds of `positive` are `bias + sum(weights[buckets]) / sqrt(n)` over the `n` distinct buckets of a text, as in
Wang and Manning 2012, "Baselines and bigrams: simple, good sentiment and topic classification", where the weights start
from Naive Bayes (`training.sentiment` fits them).
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float16
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dl_architectures.nlp.answers import SentimentAnswer, Weight
from dl_architectures.nlp.classical.ngrams import hashed_ngrams, normalised_words, shared_among_words, word_spans
from dl_shared.data.reviews import CLASSES
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, read_json, write_json

KIND = "hashed-ngrams"
WEIGHTS, CONFIG = "model.safetensors", "config.json"


@dataclass(frozen=True)
class NgramSentiment:
    """A fitted model."""

    weights: Float16[np.ndarray, " buckets"]
    """Of each bucket, for `positive`."""
    bias: float
    """Log-odds of `positive` where nothing is known."""
    order: int
    """Words in the longest n-gram."""

    @property
    def bits(self) -> int:
        """There are `2 ** bits` buckets."""
        return len(self.weights).bit_length() - 1

    def log_odds(self, text: str) -> float:
        """Of `positive`, in nats."""
        words = normalised_words(text, word_spans(text))
        distinct = np.unique(hashed_ngrams(words, order=self.order, bits=self.bits).buckets)
        return self.bias + float(self.weights[distinct].sum(dtype=np.float64)) / math.sqrt(max(1, len(distinct)))

    def answer(self, text: str) -> SentimentAnswer:
        """The likelier label, how sure it is, and what each word did for it.

        The words' values and the bias (turned towards the label) sum to the log-odds of the label.
        """
        spans = word_spans(text)
        ngrams = hashed_ngrams(normalised_words(text, spans), order=self.order, bits=self.bits)
        distinct, place, counts = np.unique(ngrams.buckets, return_inverse=True, return_counts=True)
        values = self.weights[distinct].astype(np.float64) / math.sqrt(max(1, len(distinct)))
        positive = self.bias + float(values.sum())
        sign = 1.0 if positive >= 0 else -1.0
        by_word = sign * shared_among_words(ngrams, (values / counts)[place], len(spans))
        likelier = 1 / (1 + math.exp(-abs(positive)))
        label, other = (CLASSES[1], CLASSES[0]) if positive >= 0 else CLASSES
        return SentimentAnswer(
            label=label,
            confidence=likelier,
            probabilities=((label, likelier), (other, 1 - likelier)),
            weights=tuple(
                Weight(start=start, end=end, value=float(value))
                for (start, end), value in zip(spans, by_word, strict=True)
            ),
        )

    def save(self, folder: Path) -> None:
        """Write weights and configuration."""
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / WEIGHTS) as temporary:
            save_file({"weights": self.weights}, temporary)
        write_json(
            folder / CONFIG,
            {"model_type": KIND, "order": self.order, "bits": self.bits, "bias": self.bias, "labels": list(CLASSES)},
        )

    @classmethod
    def load(cls, folder: Path) -> "NgramSentiment":
        """Read what `save` wrote.

        Raises:
            InputError: if a file is missing, damaged, or of another model.
        """
        config = read_json(folder / CONFIG)
        if not isinstance(config, dict) or config.get("model_type") != KIND:
            raise InputError(f"{folder} holds no model of the kind {KIND}")
        try:
            weights = load_file(folder / WEIGHTS)["weights"]
            bias, order, bits = float(config["bias"]), int(config["order"]), int(config["bits"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the model in {folder} is damaged ({' '.join(str(error).split())[:120]})") from None
        fits = weights.ndim == 1 and weights.size and math.log2(weights.size) == bits
        whole = fits and weights.dtype == np.float16 and np.isfinite(weights).all()
        if not whole or not math.isfinite(bias) or order < 1:
            raise InputError(f"the weights in {folder} do not fit its {CONFIG}")
        return cls(weights, bias, order)
