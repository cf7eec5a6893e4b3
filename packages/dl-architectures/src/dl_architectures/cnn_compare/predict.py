"""Networks of a run, applied to other images."""

from pathlib import Path
from typing import Any

import numpy as np

from dl_architectures.cnn_compare.cell import load_network, predict_probabilities
from dl_architectures.cnn_compare.config import RESULT, Cell, Config
from dl_architectures.cnn_compare.data import load_data
from dl_architectures.cnn_compare.options import EvaluateGrid, PredictOptions
from dl_architectures.devices import find_device
from dl_shared.errors import InputError
from dl_shared.files import read_json
from dl_shared.runs import read_config, read_summary
from dl_shared.tasks import cifar10
from dl_shared.tasks.evaluation import save_evaluation


def evaluate(options: EvaluateGrid) -> dict[str, Any]:
    """Score a network of a run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    config = read_config(run, Config)
    cell = choose_cell(config, run, options.dataset, options.architecture)
    data, known = load_data(config, cell.dataset, options.data), _class_names(run, cell)
    if tuple(known) != data.class_names:
        raise InputError(
            f"{options.data} has the classes {', '.join(data.class_names)}, the run knows {', '.join(known)}:"
            " evaluate on data of the same classes"
        )
    network, normalise, _ = load_network(run / cell.folder, cell, find_device(config.device))
    metrics = cifar10.score_test(data, predict_probabilities(network, normalise, data.test.images, config.precision))
    source = f"{cell}; {data.source}"
    return save_evaluation(run, metrics, source=source, fingerprint=data.fingerprint, rows=len(data.test))


def predict(options: PredictOptions) -> list[dict[str, Any]]:
    """One row for each image file, in the order given: the likeliest class, and the probability of each.

    Raises:
        InputError: if a file is no image, or the run has no such network.
    """
    run = Path(options.run)
    config = read_config(run, Config)
    cell = choose_cell(config, run, options.dataset, options.architecture)
    network, normalise, _ = load_network(run / cell.folder, cell, find_device(config.device))
    return cifar10.classify(
        run,
        options.images,
        lambda images: predict_probabilities(network, normalise, images, config.precision),
        class_names=_class_names(run, cell),
        shape=(28 if network.channels == 1 else 32, network.channels),
    )


def choose_cell(config: Config, run: Path, dataset: str, architecture: str | None) -> Cell:
    """The first seed of a network; without a name, of the one with the best validation accuracy over all seeds.

    Raises:
        InputError: if the run has no such network.
    """
    accuracies: dict[str, list[float]] = {}
    for cell in config.cells:
        result = run / cell.folder / RESULT
        if cell.dataset == dataset and result.exists():
            accuracies.setdefault(cell.architecture, []).append(read_json(result)["validation"]["accuracy"])
    if not accuracies:
        raise InputError(f"{run} has no finished network of {dataset}; its data sets are {', '.join(config.datasets)}")
    if architecture is None:
        architecture = max(accuracies, key=lambda name: float(np.mean(accuracies[name])))
    if architecture not in accuracies:
        raise InputError(f"{run} has no finished {architecture} of {dataset}; it has {', '.join(accuracies)}")
    return next(
        cell
        for cell in config.cells
        if (cell.dataset, cell.architecture) == (dataset, architecture) and (run / cell.folder / RESULT).exists()
    )


def _class_names(run: Path, cell: Cell) -> list[str]:
    return read_summary(run)["data"]["class_names"][cell.dataset]
