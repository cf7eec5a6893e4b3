"""Runs of one recipe on reviews side by side, tested on the same reviews: a table, a picture, a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dl_shared.data.reviews import CLASSES
from dl_shared.metrics.bootstrap import bootstrap_ci
from dl_shared.metrics.classification import confusion_scores
from dl_shared.plots import comparison
from dl_shared.runs import read_summary
from dl_shared.tasks.cifar10_comparison import write_comparison_folder

Row = dict[str, Any]


def compare_runs(runs: Mapping[str, Path], output: Path) -> list[Row]:
    """One row for each run, which is also written to a folder as comparison.csv, comparison.png and index.html.

    `gain` is by how much its F1 differs from that of the first run, with the 95 % interval of that difference over
    the same test reviews, drawn again; `baseline_gain` likewise for TF-IDF, which sees the same preprocessed texts. Of
    one training each, so the spread of trainings is not in the intervals.

    Args:
        runs: run directories by what they are called.
        output: folder of table, picture and page.

    Raises:
        ValueError: if the runs were not tested on the same reviews.
    """
    predictions = {name: pq.read_table(path / "predictions.parquet").to_pandas() for name, path in runs.items()}
    summaries = {name: read_summary(path) for name, path in runs.items()}
    reference = next(iter(predictions.values()))
    rows = [_row(name, summaries[name], own, reference) for name, own in predictions.items()]
    entries = [
        comparison.Entry(
            row["variant"], row["f1"], tuple(summary["metrics"]["test"]["f1_ci"]), summary["cost"]["train_seconds"]
        )
        for row, summary in zip(rows, summaries.values(), strict=True)
    ]
    baselines = [row["baseline_f1"] for row in rows]
    picture = comparison.scores(entries, "F1", higher_is_better=True, baselines=baselines)
    write_comparison_folder(output, rows, runs, picture)
    return rows


def difference_in_f1(own: pd.Series, reference: pd.Series, labels: pd.Series) -> tuple[float, float, float]:
    """F1 of one model less that of another, and the 95 % interval of the difference, over the same reviews."""
    answers = np.stack([own > 0.5, reference > 0.5, labels == CLASSES[1]], axis=1)

    def difference(rows: np.ndarray) -> float:
        return _f1(rows[:, 0], rows[:, 2]) - _f1(rows[:, 1], rows[:, 2])

    return difference(answers), *bootstrap_ci(difference, answers)


def _row(name: str, summary: Mapping[str, Any], own: pd.DataFrame, reference: pd.DataFrame) -> Row:
    if own["label"].tolist() != reference["label"].tolist():
        raise ValueError("the runs were tested on different reviews")
    test, cost = summary["metrics"]["test"], summary["cost"]
    columns = {"gain": "p(positive)", "baseline_gain": "baseline p(positive)"}
    gains = {
        figure: difference_in_f1(own[column], reference[column], own["label"]) for figure, column in columns.items()
    }
    return {
        "variant": name,
        **{figure: test[figure] for figure in ("f1", "accuracy", "precision", "recall")},
        "gain": gains["gain"][0],
        "gain_ci": list(gains["gain"][1:]),
        "baseline_f1": summary["metrics"]["baseline"]["f1"],
        "baseline_gain": gains["baseline_gain"][0],
        "baseline_gain_ci": list(gains["baseline_gain"][1:]),
        "parameters": cost["parameters"],
        "train_seconds": cost["train_seconds"],
        "reviews_per_second": cost["examples_per_second"],
    }


def _f1(predicted: np.ndarray, actual: np.ndarray) -> float:
    counts = np.bincount(2 * actual.astype(int) + predicted, minlength=4).reshape(2, 2)
    return float(confusion_scores(counts)["f1"][1])
