"""The loop: chunks of compiled steps, validation after each epoch, checkpoints, and one test at the end."""

import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh
from jaxtyping import Float, Int

from dl_shared.errors import InputError
from dl_shared.progress import progress, say
from dl_shared.runs import Run
from dl_shared.tasks import cifar10
from flax_projects.checkpoints import Checkpoints
from flax_projects.cifar10.augment import normalize
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.convolution import fastest_convolution
from flax_projects.cifar10.model import Network, whitening_filters
from flax_projects.cifar10.optimizer import make_optimizer
from flax_projects.cifar10.step import TrainState, keys_of, make_predict, make_train_steps, predict_all
from flax_projects.devices import data_mesh, device_name, peak_memory, whole

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
    with Run.start(
        PROJECT, config, task="cifar10", framework="flax", primary="accuracy", runs_dir=runs_dir, resume=resume
    ) as run:
        data = cifar10.load(config.data, seed=config.seed)
        cifar10.record_data(run, data)
        validation, test = fit_and_predict(config, data, run)
        cifar10.report(run, data, test, validation)
    return run.path


def fit_and_predict(
    config: Config, data: cifar10.Data, run: Run
) -> tuple[Float[np.ndarray, "validation classes"], Float[np.ndarray, "test classes"]]:
    """Train, then the probabilities that the best model gives the validation and the test images."""
    mesh = data_mesh(config.device, config.batch_size)
    say(f"{len(data.train):,} training images, {device_name(mesh)}, {config.precision}")
    with Checkpoints(run.checkpoints) as checkpoints:
        learner = Learner(config, data, mesh)
        learner.fit(run, checkpoints)
        best = checkpoints.restore("best", learner.state.average)
        assert best is not None, "every epoch ends with a validation, the first of which is the best so far"
        return learner.probabilities(best[1], data.validation.images), learner.probabilities(best[1], data.test.images)


class Programs(NamedTuple):
    """The two compiled programs of a run."""

    train_steps: Any
    predict: Any
    compile_seconds: float


class Learner:
    """A model in training: its state, the data on the device, and the programs that work on them.

    Attributes:
        state: all that changes.
        step: updates made so far.
        record: numbers kept beside the arrays of a checkpoint: best accuracy, seconds spent.

    Raises:
        InputError: if there are fewer training images than one batch.
    """

    def __init__(self, config: Config, data: cifar10.Data, mesh: Mesh) -> None:
        self.config, self.mesh, self.data = config, mesh, data
        self.steps_per_epoch = len(data.train) // config.batch_size
        if self.steps_per_epoch == 0:
            raise InputError(f"{len(data.train)} training images make no batch of {config.batch_size}")
        self.total_steps = config.epochs * self.steps_per_epoch
        model = make_network(config, classes=len(data.class_names), mesh=mesh, images=data.train.images)
        self.parameters = sum(param.size for param in jax.tree.leaves(nnx.state(model, nnx.Param)))
        self.graph, self.state = initial_state(model, config, self.total_steps, mesh)
        self.images = jax.device_put(data.train.images, whole(mesh))
        self.labels = jax.device_put(data.train.labels.astype(np.int32), whole(mesh))
        self.programs = self._compile(model)
        self.step = 0
        self.record = {"best_accuracy": -1.0, "train_seconds": 0.0, "step_seconds": 0.0}

    def _compile(self, model: Network) -> Programs:
        config, start = self.config, time.perf_counter()
        train_steps = make_train_steps(self.graph, config, steps_per_epoch=self.steps_per_epoch, mesh=self.mesh)
        numbers = np.int32(0), np.int32(1)
        compiled = train_steps.lower(self.state, self.images, self.labels, *numbers).compile()
        predict = make_predict(evaluation_graph(model), flip_test=config.flip_test, mesh=self.mesh)
        batch = jax.ShapeDtypeStruct((config.batch_size, *self.images.shape[1:]), jnp.uint8)
        compiled_predict = predict.lower(self.state.average, batch).compile()
        return Programs(compiled, compiled_predict, time.perf_counter() - start)

    def fit(self, run: Run, checkpoints: Checkpoints) -> None:
        """Make all the steps that are still to be made.

        Raises:
            KeyboardInterrupt: after Ctrl-C, once the checkpoint is written.
            InputError: if the checkpoint to go on from is damaged, or training has diverged.
        """
        if run.resumed:
            self._take_up(run, checkpoints)
        images, batch_size = self.total_steps * self.config.batch_size, self.config.batch_size
        label = f"{self.config.epochs} epochs"
        begin = saved = time.perf_counter()
        seconds_before = self.record["train_seconds"]
        with run.stopping_gracefully(), progress(images, label, unit="images", done=self.step * batch_size) as bar:
            while self.step < self.total_steps:
                made = self.next_chunk()
                bar.advance(made * batch_size, loss=self._epoch_means()["loss"])
                ended = self.step % self.steps_per_epoch == 0
                self.record["train_seconds"] = seconds_before + time.perf_counter() - begin
                if ended:
                    self._validate(run, checkpoints)
                if ended or run.stop_requested or time.perf_counter() - saved >= self.config.checkpoint_seconds:
                    checkpoints.save("last", self.step, self.state._asdict(), self.record)
                    saved = time.perf_counter()
                if run.stop_requested:
                    run.interrupt()
        self._report_cost(run)

    def _take_up(self, run: Run, checkpoints: Checkpoints) -> None:
        last = checkpoints.restore("last", self.state._asdict())
        if last is not None:
            self.step, arrays, self.record = last
            self.state = TrainState(**arrays)
        run.rewind(self.step)
        say(f"going on after step {self.step} of {self.total_steps}")

    def next_chunk(self) -> int:
        """Train to the end of the chunk or of the epoch; returns how many steps that was."""
        to_epoch_end = self.steps_per_epoch - self.step % self.steps_per_epoch
        made = min(self.config.chunk_steps or to_epoch_end, to_epoch_end)
        start = time.perf_counter()
        self.state = self.programs.train_steps(
            self.state, self.images, self.labels, np.int32(self.step), np.int32(self.step + made)
        )
        jax.block_until_ready(self.state)
        self.record["step_seconds"] += time.perf_counter() - start
        self.step += made
        return made

    def _epoch_means(self) -> dict[str, float]:
        """Loss (smoothed labels, augmented images) and accuracy over the steps of this epoch, as each was made."""
        steps = (self.step - 1) % self.steps_per_epoch + 1
        if self.diverged:
            raise InputError(f"training diverged before step {self.step}; use a smaller --learning-rate")
        return {
            "loss": float(self.state.loss_sum) / steps,
            "accuracy": int(self.state.correct) / (steps * self.config.batch_size),
        }

    @property
    def diverged(self) -> bool:
        """Whether the loss has left the finite numbers."""
        return not math.isfinite(float(self.state.loss_sum))

    def _validate(self, run: Run, checkpoints: Checkpoints) -> None:
        epoch = self.step // self.steps_per_epoch
        run.log(step=self.step, epoch=epoch, split="train", **self._epoch_means())
        scores = self.validation_scores()
        run.log(step=self.step, epoch=epoch, split="validation", **scores)
        say(f"epoch {epoch}: validation accuracy {scores['accuracy']:.4f}, {self.record['train_seconds']:.0f} s")
        # The best is saved first: after a kill in between, this epoch ends a second time, and the same.
        if scores["accuracy"] > self.record["best_accuracy"]:
            self.record["best_accuracy"] = scores["accuracy"]
            checkpoints.save("best", self.step, self.state.average, {**scores, "epoch": epoch})

    def validation_scores(self) -> dict[str, float]:
        """Accuracy and loss (nats) of the averaged weights, over all validation images."""
        labels = self.data.validation.labels
        probabilities = self.probabilities(self.state.average, self.data.validation.images)
        accuracy = float((probabilities.argmax(-1) == labels).mean())
        return {"accuracy": accuracy, "loss": cross_entropy(probabilities, labels)}

    def probabilities(self, state: Any, images: np.ndarray) -> Float[np.ndarray, "n classes"]:
        """Of each class, for each image, by the model of this state."""
        logits = predict_all(self.programs.predict, state, images, self.config.batch_size)
        return np.asarray(jax.nn.softmax(logits))

    def _report_cost(self, run: Run) -> None:
        trained = self.total_steps * self.config.batch_size
        run.update(
            "cost",
            train_seconds=self.record["train_seconds"],
            compile_seconds=self.programs.compile_seconds,
            examples_per_second=trained / self.record["step_seconds"],
            parameters=self.parameters,
            device=device_name(self.mesh),
            precision=self.config.precision,
            **peak_memory(self.mesh),
        )


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


def cross_entropy(probabilities: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"]) -> float:
    """Mean loss in nats over all rows."""
    likelihood = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(likelihood, np.finfo(np.float32).tiny)).mean())


def initial_state(model: Network, config: Config, total_steps: int, mesh: Mesh) -> tuple[nnx.GraphDef, TrainState]:
    """The structure of `(model, optimizer)` in training mode, and their state before the first step."""
    model.train()
    optimizer = nnx.Optimizer(model, make_optimizer(config, total_steps), wrt=nnx.Param)
    graph, trained = nnx.split((model, optimizer))
    average = jax.tree.map(jnp.copy, nnx.state(model))  # apart from `trained`, because both are donated
    state = TrainState(trained, average, jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32))
    return graph, jax.device_put(state, whole(mesh))
