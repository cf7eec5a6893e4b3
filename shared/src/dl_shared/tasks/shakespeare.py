"""Text generation by characters: what every Shakespeare project loads, must beat, and reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dl_shared.baselines.ngram import ngram_baseline
from dl_shared.data.corpus import MINIMUM, Vocabulary, download_shakespeare, read_corpus, split_text
from dl_shared.errors import InputError
from dl_shared.files import fingerprint, write_json
from dl_shared.metrics.text import bleu, character_scores, likelihood_scores, words, writing_scores
from dl_shared.plots import text as plots
from dl_shared.plots.curves import training_curves
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.sample.grammar import Grammar, dialogue, make_text
from dl_shared.tasks.evaluation import save_evaluation, side_by_side

SAMPLE_LINES = 8000  # about 380,000 characters


@dataclass(frozen=True)
class Data:
    """One text in three contiguous parts; the test text is its last tenth."""

    train_text: str
    validation_text: str
    test_text: str
    vocab: Vocabulary
    """Of the training text; what only the other parts hold is the unknown character."""
    source: str
    grammar: Grammar | None
    """What wrote the sample text; else None."""
    optimum: dict[str, float] | None
    """`loss`, `bits_per_character` and `perplexity` of the grammar itself on the test text, for sample data."""

    @cached_property
    def train(self) -> Int[np.ndarray, " train_characters"]:
        """int32, one a character."""
        return self.vocab.encode(self.train_text)

    @cached_property
    def validation(self) -> Int[np.ndarray, " validation_characters"]:
        """int32, one a character."""
        return self.vocab.encode(self.validation_text)

    @cached_property
    def test(self) -> Int[np.ndarray, " test_characters"]:
        """int32, one a character; the validation text stands before it, as context for the first."""
        return self.vocab.encode(self.test_text)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the three parts."""
        return fingerprint([self.train_text, self.validation_text, self.test_text])

    @property
    def rows(self) -> dict[str, int]:
        """Characters in each part."""
        return {"train": len(self.train_text), "validation": len(self.validation_text), "test": len(self.test_text)}


@dataclass(frozen=True)
class Prompt:
    """A place in the test text: what stands before it and what follows."""

    text: str
    reference: str


@dataclass(frozen=True)
class Sample:
    """A piece of generated text."""

    prompt: str
    text: str
    """What was generated, without the prompt."""
    method: str = "sampling"
    """How, such as `temperature 0.8`."""
    reference: str | None = None
    """How the test text goes on after the prompt."""


def load(source: str, *, seed: int = 0, sample_lines: int = SAMPLE_LINES) -> Data:
    """Load a text and cut off its last tenth as test text, and before that a twentieth as validation text.

    Args:
        source: `sample`, `hub` (Tiny Shakespeare), or a text file or folder of them.
        seed: makes the sample; the split of a text depends on nothing.
        sample_lines: length of the sample, cut between lines.

    Raises:
        InputError: if the source cannot be used.
    """
    if source == "sample":
        return _sample(seed, sample_lines)
    path = download_shakespeare() if source == "hub" else Path(source)
    train, validation, test = split_text(read_corpus(path))
    described = "Tiny Shakespeare from the public source" if source == "hub" else str(path)
    return Data(train, validation, test, Vocabulary.of(train), described, None, None)


def _sample(seed: int, lines: int) -> Data:
    if lines < 100:
        raise InputError(f"a sample needs at least 100 lines, got {lines}")
    grammar, text = dialogue(), make_text(lines, seed)
    cuts = lines * 85 // 100, lines * 9 // 10
    train, validation, test = map("".join, (text[: cuts[0]], text[cuts[0] : cuts[1]], text[cuts[1] :]))
    optimum = likelihood_scores(sum(map(grammar.nats, text[cuts[1] :])), len(test))
    described = f"sample: {lines} lines, seed {seed}"
    return Data(train, validation, test, Vocabulary.of(train), described, grammar, optimum)


def prompts(data: Data, count: int = 50, before: int = 100, after: int = 100) -> list[Prompt]:
    """Evenly spaced places of the test text, to continue and to hold the continuations against.

    Raises:
        ValueError: if the test text is shorter than one place.
    """
    last = len(data.test_text) - before - after
    if last < 0:
        raise ValueError(f"a test text of {len(data.test_text)} characters has no place of {before} + {after}")
    starts = np.unique(np.linspace(0, last, count).astype(int)) + before
    return [Prompt(data.test_text[at - before : at], data.test_text[at : at + after]) for at in starts.tolist()]


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    unknown = int((data.test == 0).sum())
    run.record_data(
        source=data.source,
        fingerprint=data.fingerprint,
        rows=data.rows,
        vocab_size=len(data.vocab),
        unknown_in_test=unknown,
    )


def report(
    run: Run,
    data: Data,
    test_nats: Float[np.ndarray, " test_characters"],
    samples: Sequence[Sample] = (),
    validation_nats: Float[np.ndarray, " validation_characters"] | None = None,
) -> dict[str, Any]:
    """Score the test text beside baseline and optimum; write predictions, samples, pictures and the page of the run.

    Args:
        run: still open, with its data recorded; its history becomes the curves.
        data: as loaded.
        test_nats: minus the log probability of every test character given all before it, unknown ones included.
        samples: generated texts, scored for each method; those with a reference also against it.
        validation_nats: likewise for the validation text, when at hand.

    Returns:
        The `metrics` of summary.json.

    Raises:
        ValueError: if characters are missing, or a value is not finite.
    """
    baseline_nats, metrics = _metrics(data, test_nats, samples)
    if validation_nats is not None:
        metrics["validation"] = character_scores(validation_nats)
    run.update("metrics", **metrics)
    run.save_predictions(
        pd.DataFrame({"character": list(data.test_text), "nats": test_nats, "baseline_nats": baseline_nats})
    )
    if samples:
        write_json(run.path / "samples.json", [vars(sample) for sample in samples])
    _save_pictures(run, data, test_nats, baseline_nats, metrics)
    write_page(run.path)
    return metrics


def evaluate(
    run_path: Path, data: Data, test_nats: Float[np.ndarray, " test_characters"], samples: Sequence[Sample] = ()
) -> dict[str, Any]:
    """Score a finished run on the test text of other data; kept under RUN/evaluations/.

    The baseline is fitted on the training text of those data. Encode the text with the vocabulary of the run.
    """
    _, metrics = _metrics(data, test_nats, samples)
    return save_evaluation(
        run_path, metrics, source=data.source, fingerprint=data.fingerprint, rows=len(data.test_text)
    )


def baseline(data: Data) -> tuple[Float[np.ndarray, " test_characters"], dict[str, Any]]:
    """Nats of each test character by the n-gram model, and its scores."""
    fitted = ngram_baseline(data.train, data.validation, data.test, len(data.vocab))
    name = f"{int(fitted['order'])}-gram, modified Kneser-Ney"
    return fitted["nats"], {"name": name, **character_scores(fitted["nats"])}


def _metrics(data: Data, test_nats: np.ndarray, samples: Sequence[Sample]) -> tuple[np.ndarray, dict[str, Any]]:
    if len(test_nats) != len(data.test_text):
        raise ValueError(f"{len(test_nats):,} values for {len(data.test_text):,} test characters: give one for each")
    baseline_nats, baseline_scores = baseline(data)
    test: dict[str, Any] = character_scores(test_nats)
    if samples:
        methods = dict.fromkeys(sample.method for sample in samples)
        test["writing"] = {
            method: _writing(data, [sample for sample in samples if sample.method == method]) for method in methods
        }
    figures = side_by_side("loss", test=test, baseline=baseline_scores, optimum=data.optimum)
    return baseline_nats, {"validation": {}} | figures


def _writing(data: Data, samples: Sequence[Sample]) -> dict[str, float]:
    """What can be said of the samples: without reference, against the references, and by the grammar."""
    scores = writing_scores([sample.text for sample in samples], data.train_text)
    held_out = [(sample.text, sample.reference) for sample in samples if sample.reference and words(sample.reference)]
    if held_out:
        scores["bleu"] = bleu(*map(list, zip(*held_out, strict=True)))
    if data.grammar is not None:
        # The first line continues the prompt's, and the last may be cut off.
        lines = [line for sample in samples for line in sample.text.split("\n")[1:-1]]
        if lines:
            scores["accepted_lines"] = sum(map(data.grammar.accepts, lines)) / len(lines)
    return scores


def _save_pictures(
    run: Run, data: Data, test_nats: np.ndarray, baseline_nats: np.ndarray, metrics: dict[str, Any]
) -> None:
    history = run.history()
    if history:
        levels = {"baseline": metrics["baseline"]["loss"]}
        if data.optimum:
            levels["optimum"] = data.optimum["loss"]
        figure = training_curves(history, {"loss": "loss (nats per character)"}, references={"loss": levels})
        run.save_figure(figure, "curves", caption="Loss over training, beside the n-gram model.")
    run.save_figure(
        plots.loss_along_text(test_nats, baseline_nats),
        "loss_along_text",
        caption="Where in the test text each model finds it hard.",
    )
    run.save_figure(
        plots.loss_within_words(data.test_text, test_nats, baseline_nats),
        "loss_within_words",
        caption="A word is decided by its first letters: loss by place in the word.",
    )
    run.save_figure(
        plots.surprising_text(data.test_text[:MINIMUM], test_nats[:MINIMUM]),
        "surprises",
        caption="The beginning of the test text; the darker, the less expected.",
    )
