"""The verb `compare`: models, or kinds of preprocessing, under one recipe, on the same reviews."""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from dl_shared.data.reviews import CLASSES
from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.metrics.bootstrap import bootstrap_ci
from dl_shared.metrics.classification import confusion_scores
from dl_shared.plots import comparison
from dl_shared.progress import say
from dl_shared.report import write_comparison
from dl_shared.runs import read_summary
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.options import CompareOptions
from lightning_projects.imdb.train import train

Row = dict[str, Any]


def variants(config: Config, options: CompareOptions) -> list[tuple[str, Config]]:
    """What to train, and what each is called: by its model, its preprocessing, or both."""
    models = options.models or (config.model,)
    kinds = options.preprocessings or (config.preprocess,)
    named = []
    for model, kind in product(models, kinds):
        names = [Path(model).name] if len(models) > 1 or len(kinds) == 1 else []
        names += [kind] if len(kinds) > 1 else []
        named.append((", ".join(names), dataclasses.replace(config, model=model, preprocess=kind)))
    if len({name for name, _ in named}) < len(named):
        raise InputError("two of the models have one name; rename a folder")
    return named


def compare(config: Config, options: CompareOptions) -> list[Row]:
    """Train each variant with the same options and seed; one row for each.

    `gain` is by how much its F1 differs from that of the first variant, with the 95 % interval of that difference over
    the same test reviews, drawn again; `baseline_gain` likewise for TF-IDF, which sees the same preprocessed texts. Of
    one training each, so the spread of trainings is not in the intervals. Written to the output folder: comparison.csv,
    comparison.png and index.html.

    Raises:
        InputError: if a model or the data cannot be used.
    """
    chosen = variants(config, options)
    rows: list[Row] = []
    paths: list[Path] = []
    for name, variant in chosen:
        say(name)
        paths.append(train(variant, runs_dir=options.runs_dir))
        reference, own = (pq.read_table(path / "predictions.parquet").to_pandas() for path in (paths[0], paths[-1]))
        rows.append(_row(name, read_summary(paths[-1]), own, reference))
    _write(options.output, rows, [read_summary(path) for path in paths])
    write_comparison(paths, options.output / "index.html")
    say(f"table, picture and page are in {options.output}")
    return rows


def _row(name: str, summary: Mapping[str, Any], own: pd.DataFrame, reference: pd.DataFrame) -> Row:
    if not (own["label"] == reference["label"]).all():
        raise AssertionError("the variants must be tested on the same reviews")
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


def difference_in_f1(own: pd.Series, reference: pd.Series, labels: pd.Series) -> tuple[float, float, float]:
    """F1 of one model less that of another, and the 95 % interval of the difference, over the same reviews."""
    answers = np.stack([own > 0.5, reference > 0.5, labels == CLASSES[1]], axis=1)

    def difference(rows: np.ndarray) -> float:
        return _f1(rows[:, 0], rows[:, 2]) - _f1(rows[:, 1], rows[:, 2])

    return difference(answers), *bootstrap_ci(difference, answers)


def _f1(predicted: np.ndarray, actual: np.ndarray) -> float:
    counts = np.bincount(2 * actual.astype(int) + predicted, minlength=4).reshape(2, 2)
    return float(confusion_scores(counts)["f1"][1])


def _write(folder: Path, rows: Sequence[Row], summaries: Sequence[Mapping[str, Any]]) -> None:
    with atomic_path(folder / "comparison.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    tests = [summary["metrics"]["test"] for summary in summaries]
    entries = [
        comparison.Entry(row["variant"], row["f1"], tuple(test["f1_ci"]), row["train_seconds"])
        for row, test in zip(rows, tests, strict=True)
    ]
    picture = comparison.scores(entries, "F1", higher_is_better=True, baselines=[row["baseline_f1"] for row in rows])
    with atomic_path(folder / "comparison.png") as temporary:
        picture.savefig(temporary, dpi=160)
