"""Scores of predicted token sequences against their targets, from counts over all tokens."""

import numpy as np
from jaxtyping import Bool, Float, Int

from dl_shared.metrics.bootstrap import percentile_interval


def sequence_lengths(
    tokens: Int[np.ndarray, "sequences steps"], *, pad_id: int, eos_id: int | None = None
) -> Int[np.ndarray, " sequences"]:
    """Tokens that count in each row: up to and including the first `eos_id`, else up to the trailing padding.

    A row in which `eos_id` never comes was cut off: all of it counts, but for trailing padding.
    """
    steps = tokens.shape[1]
    real = tokens != pad_id
    lengths = np.where(real.any(axis=1), steps - np.argmax(real[:, ::-1], axis=1), 0) if steps else real.sum(axis=1)
    if eos_id is None or not steps:
        return lengths.astype(np.int64)
    ends = tokens == eos_id
    return np.where(ends.any(axis=1), np.argmax(ends, axis=1) + 1, lengths).astype(np.int64)


def score_sequences(
    predicted: Int[np.ndarray, "sequences predicted_steps"],
    target: Int[np.ndarray, "sequences target_steps"],
    *,
    pad_id: int = 0,
    eos_id: int | None = None,
    predicted_lengths: Int[np.ndarray, " sequences"] | None = None,
    target_lengths: Int[np.ndarray, " sequences"] | None = None,
    replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, float | list[float]]:
    """Exact match, and accuracy, precision, recall and F1 of the tokens, each with its interval `<name>_ci`.

    Position i of a prediction is held against position i of its target. A target token that the prediction does not
    reach counts as missed; a predicted token beyond the target's end counts as a false alarm for its class.

        exact_match = share of sequences equal in length and in every token
        accuracy    = right tokens / tokens of the targets
        precision_c = right_c / predicted_c
        recall_c    = right_c / target_c
        f1_c        = 2 right_c / (predicted_c + target_c)

    `precision`, `recall` and `f1` are means over the classes that occur in the targets (a class never predicted has
    precision 0). Lengths come from `predicted_lengths` and `target_lengths` where given, else from
    :func:`sequence_lengths`. The intervals resample sequences, not tokens: tokens of one sequence fail together.

    Raises:
        ValueError: if there is no sequence, or no target token.
    """
    if not len(target):
        raise ValueError("there is no sequence to score")
    if target_lengths is None:
        target_lengths = sequence_lengths(target, pad_id=pad_id, eos_id=eos_id)
    if predicted_lengths is None:
        predicted_lengths = sequence_lengths(predicted, pad_id=pad_id, eos_id=eos_id)
    if not target_lengths.sum():
        raise ValueError("every target sequence is empty")

    counts = _TokenCounts(predicted, predicted_lengths, target, target_lengths)
    names = ("exact_match", "accuracy", "precision", "recall", "f1")
    values = counts.scores(np.ones((1, len(target)), np.float64))[0]
    replicated = counts.bootstrap(replicates, seed)
    low, high = percentile_interval(replicated, level)
    result: dict[str, float | list[float]] = {}
    for i, name in enumerate(names):
        result[name] = float(values[i])
        result[f"{name}_ci"] = [float(low[i]), float(high[i])]
    return result


class _TokenCounts:
    """Per sequence: whether it is right, and per class the tokens right, predicted and wanted."""

    def __init__(self, predicted, predicted_lengths, target, target_lengths) -> None:
        steps = max(predicted.shape[1], target.shape[1])
        predicted, in_prediction = _padded(predicted, predicted_lengths, steps)
        target, in_target = _padded(target, target_lengths, steps)
        right = in_prediction & in_target & (predicted == target)
        self.exact = (right.sum(axis=1) == target_lengths) & (predicted_lengths == target_lengths)
        classes = np.unique(target[in_target])
        # One row a sequence; columns: exact, then for each class right, predicted, wanted.
        columns = [self.exact]
        for label in classes:
            columns.append((right & (target == label)).sum(axis=1))
            columns.append((in_prediction & (predicted == label)).sum(axis=1))
            columns.append((in_target & (target == label)).sum(axis=1))
        self.rows = np.stack(columns, axis=1).astype(np.float64)

    def scores(self, weights: Float[np.ndarray, "replicates sequences"]) -> Float[np.ndarray, "replicates 5"]:
        """The five scores when each sequence counts `weights` times; a class that no counted target has is left out."""
        totals = (weights @ self.rows).astype(np.float64)
        right, predicted, wanted = totals[:, 1::3], totals[:, 2::3], totals[:, 3::3]
        present = wanted > 0
        return np.stack(
            [
                totals[:, 0] / weights.sum(axis=1),
                right.sum(axis=1) / wanted.sum(axis=1),
                _mean_where(right / np.maximum(predicted, 1), present),
                _mean_where(right / np.maximum(wanted, 1), present),
                _mean_where(2 * right / np.maximum(predicted + wanted, 1), present),
            ],
            axis=1,
        )

    def bootstrap(self, replicates: int, seed: int) -> Float[np.ndarray, "replicates 5"]:
        """The scores of `replicates` resamples, drawn as counts so that no sequence is ever copied."""
        rng = np.random.default_rng(seed)
        n = len(self.rows)
        chunk = max(1, 2**22 // n)  # about 32 MB of weights at a time
        results = []
        for start in range(0, replicates, chunk):
            weights = [np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(min(chunk, replicates - start))]
            results.append(self.scores(np.asarray(weights, np.float64)))
        return np.concatenate(results)


def _padded(
    tokens: Int[np.ndarray, "sequences given"], lengths: Int[np.ndarray, " sequences"], steps: int
) -> tuple[Int[np.ndarray, "sequences steps"], Bool[np.ndarray, "sequences steps"]]:
    """The tokens in `steps` columns, and a mask that is True where they are real."""
    wide = np.zeros((len(tokens), steps), np.int64)
    wide[:, : tokens.shape[1]] = tokens
    return wide, np.arange(steps) < lengths[:, None]


def _mean_where(values: Float[np.ndarray, "rows classes"], mask: Bool[np.ndarray, "rows classes"]) -> np.ndarray:
    return np.where(mask, values, 0).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
