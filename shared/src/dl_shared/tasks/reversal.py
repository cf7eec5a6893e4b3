"""Reversing integer sequences: what a sequence-to-sequence project loads, must beat, and reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from dl_shared.data.reversal import Sequences, drop_repeats, read_sequences, shared_sequences
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.metrics.sequences import score_sequences
from dl_shared.progress import say
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.sample.reversal import OPTIMUM, make_sequences
from dl_shared.tasks.evaluation import save_evaluation, side_by_side

VALIDATION_SIZE = 2_000
LONGER = (1.25, 1.5, 2, 3, 4, 5)  # times the longest training length: where generalisation is measured
LONGER_SIZE = 1_000  # sequences of each of these lengths, or fewer:
LONGER_SYMBOLS = 10_000_000  # bounds their number times the length squared, with which the cost of decoding grows


class AttentionExample(NamedTuple):
    """One source, its answer, and the attention in between."""

    source: tuple[str, ...]
    answer: tuple[str, ...]
    weights: Float[np.ndarray, "answer source"]
    """Each row sums to 1."""


@dataclass(frozen=True)
class Data:
    """The three parts, of which no two hold the same sequence, and probes beyond the lengths trained on."""

    train: Sequences
    validation: Sequences
    test: Sequences
    longer: Mapping[int, Sequences]
    """By length: random sequences over the same symbols, longer than any training sequence."""
    symbols: tuple[int, ...]
    """The vocabulary, ascending."""
    source: str
    """Where the sequences came from, in words."""
    fingerprint: str
    """SHA-256 of the sequences of the three parts."""

    @property
    def max_length(self) -> int:
        """The longest sequence trained on."""
        return int(self.train.lengths.max())


def load(
    source: str,
    *,
    seed: int,
    symbols: int = 10,
    lengths: tuple[int, int] = (1, 20),
    train_size: int = 25_000,
    test_size: int = 100_000,
) -> Data:
    """Draw or read sequences, and split them.

    Args:
        source: `sample`, or the path of a text file with one sequence a line. A file is split 80 : 10 : 10 after
            repeats have been dropped; the arguments below are of the sample alone.
        seed: draws the sample and the split.
        symbols: size of the vocabulary.
        lengths: shortest and longest sequence.
        train_size: sequences to train on; validation gets a tenth of that, 2,000 at most.
        test_size: sequences to test on.

    Raises:
        InputError: if the source cannot be used.
    """
    if source == "sample":
        sizes = (train_size, min(VALIDATION_SIZE, max(1, train_size // 10)), test_size)
        low, high = lengths
        every = make_sequences(sum(sizes), symbols=symbols, min_length=low, max_length=high, seed=seed)
        vocabulary = tuple(range(symbols))
        described = f"sample: {symbols} symbols, lengths {low} to {high}, seed {seed}"
    else:
        every, described = _distinct_lines(source)
        sizes = _file_sizes(len(every))
        every = every.take(np.random.default_rng(seed).permutation(len(every)))
        real = np.arange(every.values.shape[1]) < every.lengths[:, None]
        vocabulary = tuple(np.unique(every.values[real]).tolist())
    ends = np.cumsum(sizes)
    train, validation, test = (every.take(rows) for rows in np.split(np.arange(ends[-1]), ends[:-1]))
    for other in (validation, test):
        if shared := shared_sequences(train, other):
            raise RuntimeError(f"{shared} sequences are in two parts of the split")
    return Data(
        train=train,
        validation=validation,
        test=test,
        longer=longer_sequences(vocabulary, int(train.lengths.max()), seed),
        symbols=vocabulary,
        source=described,
        fingerprint=fingerprint(
            *(array for part in (train, validation, test) for array in (part.values, part.lengths))
        ),
    )


def load_test(source: str, *, seed: int, symbols: int, lengths: tuple[int, int], count: int) -> tuple[Sequences, str]:
    """Sequences to score a finished model on, and where they came from: `count` from the sample, or a whole file.

    Raises:
        InputError: if the source cannot be used.
    """
    if source == "sample":
        low, high = lengths
        drawn = make_sequences(count, symbols=symbols, min_length=low, max_length=high, seed=seed)
        return drawn, f"sample: {symbols} symbols, lengths {low} to {high}, seed {seed}"
    return read_sequences(_path(source)), str(Path(source))


def longer_sequences(symbols: Sequence[int], max_length: int, seed: int) -> dict[int, Sequences]:
    """Random sequences of each length in `LONGER` times `max_length`."""
    rng = np.random.default_rng([seed, max_length])
    probes = {}
    for length in sorted({max(max_length + 1, round(factor * max_length)) for factor in LONGER}):
        count = min(LONGER_SIZE, max(20, LONGER_SYMBOLS // length**2))
        probes[length] = Sequences(rng.choice(np.array(symbols), (count, length)), np.full(count, length))
    return probes


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    rows = {name: len(getattr(data, name)) for name in ("train", "validation", "test")}
    run.record_data(source=data.source, fingerprint=data.fingerprint, rows=rows, max_length=data.max_length)


def _path(source: str) -> Path:
    if source == "hub":
        raise InputError("there is no hub data for reversing sequences; give --data sample or the path of a text file")
    return Path(source)


def _distinct_lines(source: str) -> tuple[Sequences, str]:
    read = read_sequences(_path(source))
    kept = drop_repeats(read)
    if len(kept) < len(read):
        say(f"{len(read) - len(kept):,} repeated sequences are left out, so that the test is on unseen ones")
    return kept, f"{source}: {len(kept):,} distinct sequences"


def _file_sizes(count: int) -> tuple[int, int, int]:
    tenth = count // 10
    if not tenth:
        raise InputError(f"{count} distinct sequences are too few to train, validate and test; give at least 10")
    return count - 2 * tenth, tenth, tenth


def baseline_scores(test: Sequences) -> dict[str, Any]:
    """Copying the source: right for palindromes, and for the middle of every odd length."""
    scores = score(test, test)
    return {"name": "copy the source", **{name: value for name, value in scores.items() if not name.endswith("_ci")}}


def score(sources: Sequences, predicted: Sequences) -> dict[str, Any]:
    """Exact match, and accuracy, precision, recall and F1 of the symbols, each with its interval."""
    target = sources.reversed()
    return score_sequences(
        predicted.values,
        target.values,
        predicted_lengths=predicted.lengths,
        target_lengths=target.lengths,
    )


def is_exact(sources: Sequences, predicted: Sequences) -> Bool[np.ndarray, " sequences"]:
    """For each sequence, whether its whole reversal was predicted."""
    target = sources.reversed()
    width = min(target.values.shape[1], predicted.values.shape[1])
    # Where lengths agree, neither array holds anything but padding beyond the narrower of the two.
    same = (target.values[:, :width] == predicted.values[:, :width]).all(axis=1)
    return same & (target.lengths == predicted.lengths)


def exact_by_length(
    lengths: Int[np.ndarray, " sequences"], exact: Bool[np.ndarray, " sequences"]
) -> dict[str, dict[str, Any]]:
    """Exact match of each length, with Wilson's 95 % interval: resampling has nothing to say where all are right."""
    from scipy.stats import binomtest

    table = {}
    for length in np.unique(lengths).tolist():
        of_length = exact[lengths == length]
        interval = binomtest(int(of_length.sum()), len(of_length)).proportion_ci(0.95, "wilson")
        table[str(length)] = {
            "exact_match": float(of_length.mean()),
            "exact_match_ci": [float(interval.low), float(interval.high)],
            "sequences": len(of_length),
        }
    return table


def report(
    run: Run,
    data: Data,
    predicted: Sequences,
    predicted_longer: Mapping[int, Sequences],
    examples: Sequence[AttentionExample],
) -> dict[str, Any]:
    """Score the test predictions beside the baseline, draw, and write the page; returns the metrics.

    Args:
        run: the run in progress; `record_data` has been called.
        data: what `load` returned.
        predicted: one answer for each of `data.test`, in their order.
        predicted_longer: likewise for each of `data.longer`.
        examples: attention weights to draw.
    """
    from dl_shared.tasks import reversal_pictures

    exact = is_exact(data.test, predicted)
    metrics = _metrics(data.test, predicted)
    test = metrics["test"]
    for length, sources in data.longer.items():
        test["by_length"] |= exact_by_length(sources.lengths, is_exact(sources, predicted_longer[length]))
    run.update("metrics", **metrics)
    run.save_predictions(reversal_pictures.prediction_frame(data.test, predicted, exact))
    reversal_pictures.draw(run, data, predicted, exact, test, examples)
    write_page(run.path)
    return run.summary["metrics"]


def evaluate(run_path: Path, sources: Sequences, predicted: Sequences, source: str) -> dict[str, Any]:
    """Score answers on other data; kept under RUN/evaluations/, and shown on the run's page."""
    metrics = _metrics(sources, predicted)
    known = fingerprint(sources.values, sources.lengths)
    return save_evaluation(run_path, metrics, source=source, fingerprint=known, rows=len(sources))


def _metrics(sources: Sequences, predicted: Sequences) -> dict[str, Any]:
    test = score(sources, predicted)
    test["by_length"] = exact_by_length(sources.lengths, is_exact(sources, predicted))
    return side_by_side("exact_match", test=test, baseline=baseline_scores(sources), optimum=OPTIMUM)
