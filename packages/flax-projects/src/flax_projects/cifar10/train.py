"""A model in training, and the run around it: data, training, one test at the end."""

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float

from dl_shared.errors import InputError
from dl_shared.metrics.classification import row_losses
from dl_shared.progress import say
from dl_shared.runs import Run
from dl_shared.tasks import cifar10
from flax_projects.checkpoints import Checkpoints
from flax_projects.cifar10.augment import normalize
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.convolution import fastest_convolution
from flax_projects.cifar10.model import Network, whitening_filters
from flax_projects.cifar10.optimizer import make_optimizer
from flax_projects.cifar10.step import TrainState, keys_of, make_predict, make_train_steps, predict_all
from flax_projects.devices import device_name, training_mesh, whole
from flax_projects.loop import fit
from flax_projects.processes import start_run, wait_for_all

PROJECT = "flax-cifar10"
WHITENING_IMAGES = 5000


def train(config: Config, *, runs_dir: Path | None = None, resume: str | Path | None = None) -> Path:
    """Train, test once, report; returns the run directory.

    Args:
        config: every option.
        runs_dir: where runs are kept.
        resume: an unfinished run to go on with.

    Raises:
        InputError: if data, device or the run to resume cannot be used.
    """
    with start_run(
        PROJECT, config, task="cifar10", framework="flax", primary="accuracy", runs_dir=runs_dir, resume=resume
    ) as run:
        data = cifar10.load(config.data, seed=config.seed)
        cifar10.record_data(run, data)
        validation, test = fit_and_predict(config, data, run)
        if not run.follows:
            cifar10.report(run, data, test, validation)
    wait_for_all("reported")
    return run.path


def fit_and_predict(
    config: Config, data: cifar10.Data, run: Run
) -> tuple[Float[np.ndarray, "validation classes"], Float[np.ndarray, "test classes"]]:
    """Train, then the probabilities that the best model gives the validation and the test images."""
    mesh = training_mesh(config)
    say(f"{len(data.train):,} training images, {device_name(mesh)}, {config.precision}")
    learner = Learner(config, data, mesh)
    with Checkpoints(run.checkpoints) as checkpoints:
        best = fit(learner, config, run, checkpoints, metric="accuracy", higher_is_better=True)
    return learner.probabilities(best, data.validation.images), learner.probabilities(best, data.test.images)


class Learner:
    """The network in training, with the images on the device: a `flax_projects.loop.Learner`.

    Raises:
        InputError: if there are fewer training images than one batch.
    """

    unit = "images"

    def __init__(self, config: Config, data: cifar10.Data, mesh: Mesh) -> None:
        self.config, self.mesh, self.data = config, mesh, data
        self.steps_per_epoch = len(data.train) // config.batch_size
        if self.steps_per_epoch == 0:
            raise InputError(f"{len(data.train)} training images make no batch of {config.batch_size}")
        self.total_steps = config.epochs * self.steps_per_epoch
        self.examples_per_step = config.batch_size
        model = make_network(config, classes=len(data.class_names), mesh=mesh, images=data.train.images)
        self.parameters = sum(param.size for param in jax.tree.leaves(nnx.state(model, nnx.Param)))
        self.graph, self.state = initial_state(model, config, self.total_steps, mesh)
        self.images = jax.device_put(data.train.images, whole(mesh))
        self.labels = jax.device_put(data.train.labels.astype(np.int32), whole(mesh))
        self._compile(model)

    def _compile(self, model: Network) -> None:
        config, start = self.config, time.perf_counter()
        self.programs: dict[int, Any] = {}  # of training, by the side of the images
        for side in {config.side(epoch) for epoch in range(config.epochs)}:
            train_steps = make_train_steps(
                self.graph, config, steps_per_epoch=self.steps_per_epoch, mesh=self.mesh, side=side
            )
            arguments = self.state, self.images, self.labels, np.int32(0), np.int32(1)
            self.programs[side] = train_steps.lower(*arguments).compile()
        batch = jax.ShapeDtypeStruct((config.batch_size, *self.images.shape[1:]), jnp.uint8)
        predict = make_predict(evaluation_graph(model), config, self.mesh)
        self.predict = predict.lower(self.state.average, batch).compile()
        self.compile_seconds = time.perf_counter() - start

    def train_steps(self, first: int, last: int) -> None:
        """Make the steps `first` to `last` (exclusive), all of one epoch."""
        program = self.programs[self.config.side(first // self.steps_per_epoch)]
        self.state = program(self.state, self.images, self.labels, np.int32(first), np.int32(last))

    def train_scores(self, steps: int) -> dict[str, float]:
        """Loss (smoothed labels, augmented images) and accuracy over the steps of this epoch, as each was made."""
        return {
            "loss": float(self.state.loss_sum) / steps,
            "accuracy": int(self.state.correct) / (steps * self.config.batch_size),
        }

    def validation_scores(self) -> dict[str, float]:
        """Accuracy and loss (nats) of the averaged weights, over all validation images."""
        labels = self.data.validation.labels
        probabilities = self.probabilities(self.state.average, self.data.validation.images)
        accuracy = float((probabilities.argmax(-1) == labels).mean())
        return {"accuracy": accuracy, "loss": float(row_losses(labels, probabilities).mean())}

    def probabilities(self, state: Any, images: np.ndarray) -> Float[np.ndarray, "n classes"]:
        """Probability of each class for each image, by the model of this state."""
        logits = predict_all(self.predict, state, images, self.config.batch_size)
        return np.asarray(jax.nn.softmax(logits))

    def best(self) -> Any:
        """The averaged weights and statistics."""
        return self.state.average


def make_network(config: Config, *, classes: int, mesh: Mesh, images: np.ndarray | None = None) -> Network:
    """The network of a run. Without training `images` the filters of its stem are zero, to be restored."""
    size = 2 * config.stem_stride
    if images is None:
        filters = np.zeros((size, size, 3, 3 * size * size), np.float32)
    else:
        filters = whitening_filters(np.asarray(normalize(jnp.asarray(images[:WHITENING_IMAGES]))), size)
    return Network(
        config,
        filters,
        classes=classes,
        convolve=fastest_convolution(mesh.devices.flat[0].platform),
        rngs=nnx.Rngs(params=keys_of(config.seed).params),
    )


def evaluation_graph(model: Network) -> nnx.GraphDef:
    """The structure of the model with dropout off and batch normalisation by running averages."""
    return nnx.graphdef(nnx.view(model, deterministic=True, use_running_average=True))


def initial_state(model: Network, config: Config, total_steps: int, mesh: Mesh) -> tuple[nnx.GraphDef, TrainState]:
    """The structure of `(model, optimizer)` in training mode, and their state before the first step."""
    model.train()
    optimizer = nnx.Optimizer(model, make_optimizer(config, total_steps), wrt=nnx.Param)
    graph, trained = nnx.split((model, optimizer))
    average = jax.tree.map(jnp.copy, nnx.state(model))  # apart from `trained`, because both are donated
    state = TrainState(trained, average, jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))
    return graph, jax.device_put(state, whole(mesh))
