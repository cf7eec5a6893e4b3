"""Trainings that differ in one thing: the number format, the augmentation, or the labels and the initial weights."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from accelerate_projects.cifar10.config import Config
from accelerate_projects.cifar10.train import train
from accelerate_projects.unrecorded import refuse_several
from dl_shared.config import Precision
from dl_shared.plots import comparison, transfer
from dl_shared.tasks import cifar10_comparison
from dl_shared.tasks.cifar10_comparison import Row, compare_runs, write_comparison_folder
from dl_shared.tasks.options import CompareLabelsOptions, CompareOptions
from dl_shared.tasks.variants import train_each

MEBIBYTE = 2**20


def compare_precision(config: Config, options: CompareOptions) -> list[Row]:
    """Train once in each number format that this machine has; `gain` and `speedup` are over fp32, the first."""
    on_gpu = torch.cuda.is_available() and config.device != "cpu"
    precisions: tuple[Precision, ...] = ("fp32", "bf16", "fp16") if on_gpu else ("fp32", "bf16")
    runs = _train_each({name: dataclasses.replace(config, precision=name) for name in precisions}, options)
    rows = compare_runs(runs)
    rows = [{**row, "speedup": row["images_per_second"] / rows[0]["images_per_second"]} for row in rows]
    picture = transfer.formats(
        list(runs),
        {
            "pictures per second": [row["images_per_second"] for row in rows],
            "training time, seconds": [row["train_seconds"] for row in rows],
            "memory of training, MiB": [row["memory_bytes"] and row["memory_bytes"] / MEBIBYTE for row in rows],
        },
        [(float(place), row["accuracy"], tuple(row["accuracy_ci"])) for place, row in enumerate(rows)],
    )
    write_comparison_folder(options.output, rows, runs, picture)
    return rows


def compare_augmentation(config: Config, options: CompareOptions) -> list[Row]:
    """Train without augmentation, with one kind, and with several; `gain` is over none."""
    chosen: tuple[tuple[str, ...], ...] = ((), ("flip",), ("crop",), ("crop", "flip"), ("crop", "flip", "erase"))
    variants = {", ".join(names) or "none": dataclasses.replace(config, augment=names) for names in chosen}
    runs = _train_each(variants, options)
    rows = compare_runs(runs)
    entries = [
        comparison.Entry(row["variant"], row["accuracy"], tuple(row["accuracy_ci"]), row["train_seconds"])
        for row in rows
    ]
    picture = comparison.scores(entries, "accuracy", higher_is_better=True)
    write_comparison_folder(options.output, rows, runs, picture)
    return rows


def compare_labels(config: Config, options: CompareLabelsOptions) -> list[Row]:
    """Train on shares of the labels, from the backbone and from scratch; see `cifar10_comparison.compare_labels`.

    Raises:
        InputError: if one of them cannot be trained; in one of several processes that train as one.
    """
    refuse_several()
    return cifar10_comparison.compare_labels(train, config, options)


def _train_each(variants: Mapping[str, Config], options: CompareOptions) -> dict[str, Path]:
    refuse_several()
    return train_each(train, variants, options.runs_dir)
