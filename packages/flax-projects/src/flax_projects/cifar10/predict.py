"""A finished run, applied to other images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Float, UInt8

from dl_shared.errors import InputError
from dl_shared.runs import read_config, read_summary
from dl_shared.tasks import cifar10
from flax_projects.checkpoints import restore_best
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.step import make_predict, predict_all
from flax_projects.cifar10.train import evaluation_graph, make_network
from flax_projects.devices import data_mesh, whole


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


def load_predictor(
    run: Path, batch_size: int = 500
) -> Callable[[UInt8[np.ndarray, "n 32 32 3"]], Float[np.ndarray, "n classes"]]:
    """The best model of a run, as a function from images to probabilities; one row for each image.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged.
    """
    config = read_config(run, Config)
    names = read_summary(run)["data"].get("class_names")
    if names is None:
        raise InputError(f"{run} was stopped before it knew its classes; train it first")
    mesh = data_mesh("auto", jax.device_count())
    model = make_network(config, classes=len(names), mesh=mesh)
    like = jax.device_put(nnx.state(model), whole(mesh))
    best = restore_best(run, like)
    program = make_predict(evaluation_graph(model), config, mesh)

    def probabilities(images: np.ndarray) -> np.ndarray:
        fitting = -(-min(len(images), batch_size) // mesh.size) * mesh.size
        return np.asarray(jax.nn.softmax(predict_all(program, best, images, fitting)))

    return probabilities
