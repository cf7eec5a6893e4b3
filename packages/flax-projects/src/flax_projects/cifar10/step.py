"""The two compiled programs: many steps of training, and the prediction for any number of images.

All randomness is a function of (seed, step) or (seed, epoch), so nothing but arrays needs to be saved to go on exactly.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh
from jax.stages import Wrapped
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from flax_projects.cifar10.augment import augment, normalize, scale_down
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.model import Network
from flax_projects.devices import split_rows, whole

Bytes = UInt8[Array, "n height width channels"]
Labels = Int[Array, " n"]
Logits = Float[Array, "n classes"]


class TrainState(NamedTuple):
    """All that changes from step to step, as one tree of arrays."""

    trained: Any
    """State of `(model, optimizer)`."""
    average: Any
    """State of the model, averaged over steps."""
    loss_sum: Float[Array, ""]
    """Over the batches of this epoch so far."""
    correct: Int[Array, ""]
    """Training images of this epoch that were classified right when their turn came."""


class Keys(NamedTuple):
    """One root of randomness for each use of it."""

    params: PRNGKeyArray
    order: PRNGKeyArray
    flip: PRNGKeyArray
    augment: PRNGKeyArray
    dropout: PRNGKeyArray


def keys_of(seed: int) -> Keys:
    """The keys of a run."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def loss_fn(
    model: Network,
    inputs: Float[Array, "batch height width channels"],
    labels: Int[Array, " batch"],
    label_smoothing: float,
    rngs: nnx.Rngs | None = None,
) -> tuple[Float[Array, ""], Float[Array, "batch classes"]]:
    """Mean cross-entropy in nats against smoothed labels, and the logits."""
    logits = model(inputs, rngs)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return optax.softmax_cross_entropy(logits, targets).mean(), logits


def train_step(
    model: Network,
    optimizer: nnx.Optimizer,
    inputs: Float[Array, "batch height width channels"],
    labels: Int[Array, " batch"],
    *,
    label_smoothing: float,
    rngs: nnx.Rngs,
) -> tuple[Float[Array, ""], Int[Array, ""]]:
    """Update the model once; returns the loss and how many of the batch were right."""
    (loss, logits), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model, inputs, labels, label_smoothing, rngs)
    optimizer.update(model, grads)
    return loss, (logits.argmax(-1) == labels).sum()


def make_train_steps(graph: nnx.GraphDef, config: Config, *, steps_per_epoch: int, mesh: Mesh, side: int) -> Wrapped:
    """Jitted function from (TrainState, images, labels, first, last) to the TrainState after these steps.

    It makes steps `first` to `last` (exclusive) of one epoch without leaving the device, and takes over the arrays of
    the state it is given.

    Args:
        graph: of `(model, optimizer)`, in training mode.
        config: of the run.
        steps_per_epoch: whole batches in an epoch; each epoch leaves out other images.
        mesh: each batch is split along it.
        side: to which the images are scaled, in pixels.
    """
    keys = keys_of(config.seed)

    @partial(jax.jit, donate_argnums=0)
    def train_steps(
        state: TrainState, images: Bytes, labels: Labels, first: Int[Array, ""], last: Int[Array, ""]
    ) -> TrainState:
        epoch, new_epoch = first // steps_per_epoch, first % steps_per_epoch == 0
        order = jax.random.permutation(jax.random.fold_in(keys.order, epoch), len(images))
        # "Alternating flip" (arXiv:2404.00498, section 3.6): a coin in the first epoch, then the other side in turn.
        coins = jax.random.bernoulli(keys.flip, shape=(len(images),)) ^ (epoch % 2 == 1)

        def one_step(step: Int[Array, ""], state: TrainState) -> TrainState:
            start = (step % steps_per_epoch) * config.batch_size
            rows = jax.lax.dynamic_slice(order, (start,), (config.batch_size,))
            rows = jax.lax.with_sharding_constraint(rows, split_rows(mesh))
            inputs = augment(
                jax.random.fold_in(keys.augment, step),
                images[rows],
                coins[rows] & config.flip,
                crop=config.crop,
                cutout=config.cutout,
            )
            if side < inputs.shape[1]:
                inputs = scale_down(inputs, side)
            model, optimizer = nnx.merge(graph, state.trained)
            loss, correct = train_step(
                model,
                optimizer,
                inputs,
                labels[rows],
                label_smoothing=config.label_smoothing,
                rngs=nnx.Rngs(dropout=jax.random.fold_in(keys.dropout, step)),
            )
            average = optax.incremental_update(nnx.state(model), state.average, 1 - config.ema)
            return TrainState(nnx.state((model, optimizer)), average, state.loss_sum + loss, state.correct + correct)

        state = state._replace(
            loss_sum=jnp.where(new_epoch, 0, state.loss_sum), correct=jnp.where(new_epoch, 0, state.correct)
        )
        return jax.lax.fori_loop(first, last, one_step, state)

    return train_steps


def make_predict(graph: nnx.GraphDef, config: Config, mesh: Mesh) -> Wrapped:
    """Jitted function from (state of the model, a batch of images) to logits.

    Args:
        graph: of the model, in evaluation mode.
        config: `flip_test` and `shift_test` are read.
        mesh: the batch is split along it.
    """

    @partial(jax.jit, in_shardings=(whole(mesh), split_rows(mesh)), out_shardings=whole(mesh))
    def predict(state: Any, images: Bytes) -> Logits:
        model = nnx.merge(graph, state)
        inputs = normalize(images)
        logits = logits_of(model, inputs)
        if config.shift_test:  # as cifar10-airbench does
            padded = jnp.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
            logits += (logits_of(model, padded[:, :-2, :-2]) + logits_of(model, padded[:, 2:, 2:])) / 2
            logits /= 2
        return logits

    def logits_of(model: Network, inputs: Float[Array, "batch height width channels"]) -> Logits:
        return (model(inputs) + model(inputs[:, :, ::-1])) / 2 if config.flip_test else model(inputs)

    return predict


def predict_all(
    predict: Callable[[Any, Any], Logits], state: Any, images: UInt8[np.ndarray, "n h w c"], batch_size: int
) -> Float[np.ndarray, "n classes"]:
    """Logits of any number of images, by a program for batches of one size.

    The last batch is filled up with blank images, and their rows are dropped.
    """
    n = len(images)
    padded = np.concatenate([images, np.zeros((-n % batch_size, *images.shape[1:]), images.dtype)])
    logits = [predict(state, padded[start : start + batch_size]) for start in range(0, n, batch_size)]
    return np.concatenate([np.asarray(batch) for batch in logits])[:n]
