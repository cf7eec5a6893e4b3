"""Runs of image classification side by side, tested on the same images: a table, a picture, a page."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from matplotlib.figure import Figure

from dl_shared.files import atomic_path, write_text
from dl_shared.metrics.bootstrap import bootstrap_ci
from dl_shared.plots import transfer
from dl_shared.progress import say
from dl_shared.report import write_comparison
from dl_shared.runs import read_summary
from dl_shared.tasks.options import CompareLabelsOptions
from dl_shared.tasks.variants import train_each

FROM_SCRATCH = "none"
"""The `backbone` of a configuration that begins with random weights."""
Row = dict[str, Any]


def compare_labels(train: Callable[..., Path], config: Any, options: CompareLabelsOptions) -> list[Row]:
    """Train on shares of the labels, from a backbone and from scratch; `gain` is over scratch at the same share.

    Every training makes as many updates of as many pictures each, so that all cost the same.

    Args:
        train: as the function of a verb `train`, importable by name.
        config: what it is called with; `backbone` and `label_share` are varied.
        options: the shares, and where table, picture and page go.

    Raises:
        InputError: if one of them cannot be trained.
    """
    beginnings = {"from scratch": FROM_SCRATCH, f"backbone {config.backbone}": config.backbone}
    names = {
        (line, share): f"{line}, {100 * share:g} % of the labels" for share in options.shares for line in beginnings
    }
    variants = {
        name: dataclasses.replace(config, backbone=beginnings[line], label_share=share)
        for (line, share), name in names.items()
    }
    runs = train_each(train, variants, options.runs_dir)
    rows: list[Row] = []
    lines: dict[str, list[transfer.Point]] = {line: [] for line in beginnings}
    for share in options.shares:
        pair = {names[line, share]: runs[names[line, share]] for line in beginnings}
        for line, row in zip(beginnings, compare_runs(pair), strict=True):
            rows.append(row)
            lines[line].append((share, row["accuracy"], tuple(row["accuracy_ci"])))
    write_comparison_folder(options.output, rows, runs, transfer.label_shares(lines, "test accuracy"))
    return rows


def compare_runs(runs: Mapping[str, Path], *, reference: str | None = None) -> list[Row]:
    """One row for each run.

    Args:
        runs: run directories by what they are called, all tested on the same images.
        reference: the run whose accuracy the `gain` of the others is over; the first one by default.

    Returns:
        `variant`, `accuracy` with `accuracy_ci`, `gain` with `gain_ci` (the 95 % interval of the difference over the
        same test images, drawn again; the spread over trainings is not in it), `train_seconds`, `images_per_second`,
        and `memory_bytes`, what training took beyond data and weights, where it was measured.

    Raises:
        ValueError: if the runs were not tested on the same images.
    """
    reference = reference or next(iter(runs))
    right = {name: _right(path) for name, path in runs.items()}
    if len({labels for labels, _ in right.values()}) > 1:
        raise ValueError("the runs were tested on different images")
    baseline = right[reference][1]
    rows = []
    for name, path in runs.items():
        summary = read_summary(path)
        test, cost = summary["metrics"]["test"], summary["cost"]
        difference = right[name][1].astype(np.float64) - baseline
        rows.append(
            {
                "variant": name,
                "accuracy": test["accuracy"],
                "accuracy_ci": test["accuracy_ci"],
                "gain": float(difference.mean()),
                "gain_ci": list(bootstrap_ci(np.mean, difference)),
                "train_seconds": cost["train_seconds"],
                "images_per_second": cost["examples_per_second"],
                "memory_bytes": cost.get("training_memory_bytes"),
            }
        )
    return rows


def write_comparison_folder(folder: Path, rows: list[Row], runs: Mapping[str, Path], picture: Figure) -> None:
    """Write comparison.csv, comparison.png and index.html, which links to the page of each run."""
    write_text(folder / "comparison.csv", pd.DataFrame(rows).to_csv(index=False))
    with atomic_path(folder / "comparison.png") as temporary:
        picture.savefig(temporary, dpi=160)
    write_comparison(list(runs.values()), folder / "index.html")
    say(f"table, picture and page are in {folder}")


def _right(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """The labels of the test images, and which of them the run got right."""
    table = pq.read_table(path / "predictions.parquet", columns=["label", "predicted"]).to_pandas()
    return tuple(table["label"]), (table["label"] == table["predicted"]).to_numpy()
