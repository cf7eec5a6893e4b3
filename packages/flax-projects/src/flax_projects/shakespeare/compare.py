"""The verb `compare`: models beside each other on one text, or the styles of several texts."""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.plots import comparison
from dl_shared.plots.text import losses_across_texts
from dl_shared.progress import say
from dl_shared.report import write_comparison
from dl_shared.runs import read_history, read_summary
from dl_shared.tasks import shakespeare
from flax_projects.shakespeare.config import recipe
from flax_projects.shakespeare.options import CompareOptions
from flax_projects.shakespeare.train import train
from flax_projects.shakespeare.writer import load_writer

Row = dict[str, Any]


def compare(options: CompareOptions) -> list[Row]:
    """Train each model on each text; one row for each run.

    Written to the output folder: models.csv, models.png and index.html; with several texts, also styles.csv and
    styles.png: the loss of each model on the test part of every text.

    Raises:
        InputError: if two texts have one name, or a text cannot be used.
    """
    names = _names(options.data)
    rows: list[Row] = []
    paths: list[Path] = []
    for source, name in names.items():
        for model in options.models:
            say(f"{model} on {name}")
            base = recipe(options.preset, model)
            epochs = base.epochs if options.epochs is None else options.epochs
            config = dataclasses.replace(base, data=source, epochs=epochs, seed=options.seed)
            paths.append(train(config, runs_dir=options.runs_dir))
            rows.append(_row(name, model, read_summary(paths[-1])))
    labels = [row["model"] if len(names) == 1 else f"{row['model']} on {row['text']}" for row in rows]
    _write_csv(options.output / "models.csv", rows)
    histories = {
        label: comparison.curve(read_history(path), "loss", "validation")
        for label, path in zip(labels, paths, strict=True)
    }
    picture = comparison.curves(histories, "validation loss (nats per character)", "The models in training")
    _save(picture, options.output / "models.png")
    if len(names) > 1:
        _contrast(dict(zip(labels, paths, strict=True)), names, options)
    write_comparison(paths, options.output / "index.html")
    say(f"tables, pictures and page are in {options.output}")
    return rows


def _names(sources: Sequence[str]) -> dict[str, str]:
    """What the texts are called in tables: their files' names without ending."""
    names = {source: Path(source).stem for source in sources}
    if len(set(names.values())) < len(sources):
        raise InputError("two of the texts have one name; rename a file")
    return names


def _contrast(runs: Mapping[str, Path], names: Mapping[str, str], options: CompareOptions) -> None:
    """Score the test part of every text with every model: the one that learned its style expects it most."""
    texts = {name: shakespeare.load(source, seed=options.seed) for source, name in names.items()}
    losses = np.array([[cross_loss(path, data) for data in texts.values()] for path in runs.values()])
    found = {name: list(runs)[best] for name, best in zip(texts, losses.argmin(axis=0), strict=True)}
    for name, label in found.items():
        say(f"the text most like {name} was learned by: {label}")
    table = [{"model": label, **dict(zip(texts, row, strict=True))} for label, row in zip(runs, losses, strict=True)]
    _write_csv(options.output / "styles.csv", table)
    _save(losses_across_texts(losses, list(runs), list(texts)), options.output / "styles.png")


def cross_loss(run: Path, data: shakespeare.Data) -> float:
    """Nats per character of a run on the test part of a text; what it has never seen is the unknown character."""
    return float(load_writer(run).test_nats(data).mean(dtype=np.float64))


def _row(text: str, model: str, summary: Mapping[str, Any]) -> Row:
    """What is printed of one run."""
    test, cost = summary["metrics"]["test"], summary["cost"]
    return {
        "text": text,
        "model": model,
        "loss": test["loss"],
        "bits_per_character": test["bits_per_character"],
        "baseline": summary["metrics"]["baseline"]["loss"],
        "parameters": cost["parameters"],
        "train_seconds": cost["train_seconds"],
        "characters_per_second": cost["examples_per_second"],
    }


def _write_csv(path: Path, rows: Sequence[Row]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _save(figure: Any, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=160)
