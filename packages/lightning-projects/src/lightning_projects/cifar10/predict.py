"""A finished run, applied to other images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from dl_shared.errors import InputError
from dl_shared.runs import read_config, read_summary
from dl_shared.tasks import cifar10
from lightning_projects.checkpoints import load_best
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.train import predict_probabilities, restore_network


def evaluate(options: Any) -> dict[str, Any]:
    """Score a run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    return cifar10.evaluate(run, options.data, load_predictor(run))


def predict(options: Any) -> list[dict[str, Any]]:
    """One row for each image file, in the order given: the likeliest class, and the probability of each.

    Raises:
        InputError: if a file is no image.
    """
    run = Path(options.run)
    return cifar10.classify(run, options.images, load_predictor(run))


def load_predictor(run: Path) -> Callable[[UInt8[np.ndarray, "n 32 32 3"]], Float[np.ndarray, "n classes"]]:
    """The best model of a run, as a function from images to probabilities; one row for each image.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged.
    """
    config = read_config(run, Config)
    names = read_summary(run)["data"].get("class_names")
    if names is None:
        raise InputError(f"{run} was stopped before it knew its classes; train it first")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = restore_network(config, load_best(run), len(names)).to(device)
    return lambda images: predict_probabilities(network, images, device, flip_test=config.flip_test)
