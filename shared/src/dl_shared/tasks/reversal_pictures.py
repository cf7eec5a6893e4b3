"""The pictures and the table of predictions of a reversal run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dl_shared.data.reversal import Sequences
from dl_shared.plots import attention
from dl_shared.plots.curves import training_curves
from dl_shared.runs import Run
from dl_shared.tasks.reversal import AttentionExample, Data


def prediction_frame(sources: Sequences, predicted: Sequences, exact: np.ndarray) -> pd.DataFrame:
    """One row a test sequence: source, target and prediction as lists, and whether it is right."""
    targets = sources.reversed().rows()
    return pd.DataFrame({"source": sources.rows(), "target": targets, "prediction": predicted.rows(), "exact": exact})


def draw(
    run: Run,
    data: Data,
    predicted: Sequences,
    exact: np.ndarray,
    test: dict[str, Any],
    examples: Sequence[AttentionExample],
) -> None:
    """Loss by epoch, exact match by length, attention, and some answers."""
    curves = training_curves(run.history(), {"loss": "loss (nats per symbol)", "exact_match": "exact match"})
    curves.axes[0].set_yscale("log")
    curves.axes[1].set_ylim(-0.03, 1.05)
    run.save_figure(
        curves,
        "training_curves",
        caption="Loss of each epoch on training and validation sequences (logarithmic), with the true symbols given; "
        "exact match on validation sequences, with the model on its own.",
    )
    run.save_figure(
        attention.exact_match_by_length({run.summary["project"]: test["by_length"]}, data.max_length),
        "exact_match_by_length",
        caption=f"Share of sequences reversed without any error, with Wilson's 95 % interval. Lengths up to "
        f"{data.max_length} were trained on (unseen sequences); beyond, sequences are random and the model has never "
        f"seen their length. {bound_in_words(exact)}",
    )
    if examples:
        run.save_figure(
            attention.attention_maps(examples),
            "attention",
            caption="Where the decoder looks (columns: source) while it writes each symbol (rows, from the top). "
            "Reversal shows as a line from the top right to the bottom left.",
        )
    run.save_figure(
        attention.answer_table(*some_answers(data.test, predicted, exact)),
        "sample_predictions",
        caption="Some test sequences and the answers; errors first, where there are any.",
    )


def bound_in_words(exact: np.ndarray) -> str:
    """What the count of errors allows to be said (Clopper and Pearson 1934, one-sided at 95 %)."""
    from scipy.stats import binomtest

    errors = int((~exact).sum())
    bound = binomtest(errors, len(exact), alternative="less").proportion_ci(0.95).high
    found = f"{errors:,} of {len(exact):,} test sequences are wrong" if errors else f"No error in {len(exact):,} tests"
    return f"{found}: at 95 % confidence, sequences of this kind fail at a rate below {100 * bound:.2g} %."


def some_answers(
    sources: Sequences, predicted: Sequences, exact: np.ndarray, count: int = 8
) -> tuple[list[list[int]], list[list[int]], list[bool]]:
    """Up to `count` sources, answers, and whether they are right: errors first, then lengths spread evenly."""
    wrong = np.flatnonzero(~exact)[: count // 2]
    right = np.flatnonzero(exact)
    right = right[np.argsort(sources.lengths[right], kind="stable")]
    spread = np.linspace(0, max(len(right) - 1, 0), min(count - len(wrong), len(right))).round().astype(np.int64)
    rows = np.concatenate((wrong, right[spread]))
    return sources.take(rows).rows(), predicted.take(rows).rows(), exact[rows].tolist()
