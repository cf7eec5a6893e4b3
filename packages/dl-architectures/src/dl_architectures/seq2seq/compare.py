"""The verb `compare`: each attention trained under one budget, side by side beyond the lengths trained on."""

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dl_architectures.seq2seq.config import Config
from dl_architectures.seq2seq.options import CompareOptions
from dl_architectures.seq2seq.train import train
from dl_shared.files import atomic_path
from dl_shared.plots.attention import exact_match_by_length
from dl_shared.progress import say
from dl_shared.report import write_comparison
from dl_shared.runs import read_summary

Table = dict[str, dict[str, Any]]  # length -> exact_match, exact_match_ci, sequences


def compare(base: Config, options: CompareOptions) -> list[dict[str, Any]]:
    """Train, then write lengths.csv, lengths.png and index.html; one row for each attention."""
    runs: dict[str, list[Path]] = {}
    for attention in options.attentions:
        for seed in range(options.seeds):
            say(f"{attention}, seed {seed}")
            config = dataclasses.replace(base, attention=attention, seed=seed)
            runs.setdefault(attention, []).append(train(config, runs_dir=options.runs_dir))
    summaries = {name: [read_summary(path) for path in paths] for name, paths in runs.items()}
    tables = {name: mean_table([_by_length(one) for one in each]) for name, each in summaries.items()}
    _write_csv(options.output / "lengths.csv", tables)
    picture = exact_match_by_length(tables, next(iter(summaries.values()))[0]["data"]["max_length"])
    with atomic_path(options.output / "lengths.png") as temporary:
        picture.savefig(temporary, dpi=160)
    write_comparison([path for paths in runs.values() for path in paths], options.output / "index.html")
    say(f"table, picture and page are in {options.output}")
    return [_row(name, each, tables[name]) for name, each in summaries.items()]


def _by_length(summary: Mapping[str, Any]) -> Table:
    return summary["metrics"]["test"]["by_length"]


def mean_table(tables: list[Table]) -> Table:
    """The mean over seeds at each length; with several seeds the interval is their range, from worst to best."""
    if len(tables) == 1:
        return tables[0]
    merged: Table = {}
    for length in tables[0]:
        scores = [table[length]["exact_match"] for table in tables if length in table]
        sequences = sum(table[length]["sequences"] for table in tables if length in table)
        interval = [min(scores), max(scores)]
        merged[length] = {"exact_match": float(np.mean(scores)), "exact_match_ci": interval, "sequences": sequences}
    return merged


def _write_csv(path: Path, tables: Mapping[str, Table]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["attention", "length", "exact_match", "low", "high", "sequences"])
        for name, table in tables.items():
            for length, entry in table.items():
                writer.writerow([name, length, entry["exact_match"], *entry["exact_match_ci"], entry["sequences"]])


def _row(name: str, summaries: list[dict[str, Any]], table: Table) -> dict[str, Any]:
    """What is printed of one attention: the test score, the time, and exact match beyond the trained lengths."""
    scores = [summary["metrics"]["test"]["exact_match"] for summary in summaries]
    seconds = [summary["cost"]["train_seconds"] for summary in summaries]
    longest = summaries[0]["data"]["max_length"]
    beyond = {f"length_{n}": entry["exact_match"] for n, entry in table.items() if int(n) > longest}
    return {
        "attention": name,
        "exact_match": float(np.mean(scores)),
        "train_seconds": float(np.mean(seconds)),
        **beyond,
    }
