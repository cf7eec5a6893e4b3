"""A finished run, applied to other pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from accelerate_projects.cifar10.augment import Pipeline
from accelerate_projects.cifar10.config import Config
from accelerate_projects.cifar10.model import load_trained
from accelerate_projects.cifar10.train import predict_probabilities
from dl_shared.cli import EvaluateOptions
from dl_shared.runs import read_config
from dl_shared.tasks import cifar10
from dl_shared.tasks.options import ClassifyImages


def evaluate(options: EvaluateOptions) -> dict[str, Any]:
    """Score a finished run on the test part of other data; kept under RUN/evaluations/."""
    run = Path(options.run)
    return cifar10.evaluate(run, options.data, load_predictor(run))


def predict(options: ClassifyImages) -> list[dict[str, Any]]:
    """One row for each image file, in the order given: the likeliest class, and the probability of each.

    Raises:
        InputError: if a file is no image.
    """
    run = Path(options.run)
    return cifar10.classify(run, options.images, load_predictor(run))


def load_predictor(run: Path) -> Callable[[UInt8[np.ndarray, "n 32 32 3"]], Float[np.ndarray, "n classes"]]:
    """The network of a run's best epoch, as a function from pictures to a row of probabilities each.

    Raises:
        InputError: if the run has no checkpoint yet, or a file of it is damaged.
    """
    config = read_config(run, Config)
    trained = load_trained(run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = trained.on(device)
    pipeline = Pipeline(trained.preparation, config, device)
    return lambda images: predict_probabilities(network, pipeline, images)
