"""The compiled programs: many steps of training for all members at once, and the forecast of their ensemble.

The prices of all companies lie on the device once; a batch is a list of rows, and its windows are gathered inside the
step. Members see the same batches in the same order and differ in initial weights and dropout: so they are compared,
one learning rate with another, on the same data, and a batch is gathered once for all of them. What makes their mean
better than any one of them is where they started (Fort et al. 2019, arXiv:1912.02757), not the order of the data.

All randomness is a function of (seed, step, number of the member): nothing but arrays needs to be saved to go on
exactly, and a member trained with others at once equals the same member trained alone.
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
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from dl_shared.data.windows import Windows
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.devices import split_rows, whole
from flax_projects.stocks.config import Config
from flax_projects.stocks.model import Forecaster

BETAS = (0.9, 0.99)
LARGEST_GRADIENT = 1.0  # norm; a crash in a batch of windows is no reason for a leap


class Series(NamedTuple):
    """The histories of all companies, one after another, as they lie on the device."""

    values: Float[Array, "rows features"]
    targets: Float[Array, "rows horizon"]
    """Cumulative log returns since each row's day, in units of `target_scale`; 0 where they are not to be learned."""
    known: Bool[Array, " rows"]
    """True where they are known: on the last days of the training windows, and on no other."""


class Members(NamedTuple):
    """In what the networks that are trained at once differ."""

    number: Int[Array, " members"]
    """Fixes initial weights and dropout, together with the seed of the run."""
    learning_rate: Float[Array, " members"]


class TrainState(NamedTuple):
    """All that changes from step to step, as one tree of arrays."""

    trained: Any
    """State of `(model, optimizer)` of each member, along the first axis of every array."""
    loss_sum: Float[Array, " members"]
    """Over the batches of this epoch so far."""


class Keys(NamedTuple):
    """One root of randomness for each use of it."""

    params: PRNGKeyArray
    order: PRNGKeyArray
    dropout: PRNGKeyArray


def keys_of(seed: int) -> Keys:
    """The keys of a run."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def make_series(windows: Windows, target_scale: Float[np.ndarray, " horizon"]) -> Series:
    """What a training part looks like on the device."""
    targets = np.zeros((len(windows.series), windows.horizon), np.float32)
    targets[windows.ends] = windows.targets / target_scale
    known = np.zeros(len(windows.series), bool)
    known[windows.ends] = True
    return Series(jnp.asarray(windows.series), jnp.asarray(targets), jnp.asarray(known))


def make_optimizer(config: Config, total_steps: int) -> optax.GradientTransformationExtraArgs:
    """AdamW on one cycle of the learning rate; its peak is an argument of each update, so that members can differ."""
    rising_steps = round(config.warmup * total_steps)
    cycle = optax.warmup_cosine_decay_schedule(0.0 if rising_steps else 1.0, 1.0, rising_steps, total_steps)
    return optax.chain(
        optax.clip_by_global_norm(LARGEST_GRADIENT),
        optax.scale_by_adam(*BETAS),
        optax.add_decayed_weights(config.weight_decay, mask=partial(jax.tree.map, lambda array: array.ndim > 1)),
        optax.scale_by_schedule(cycle),
        optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), _descend),
    )


def _descend(updates: Any, state: Any, params: Any = None, *, learning_rate: Float[Array, ""]) -> tuple[Any, Any]:
    return jax.tree.map(lambda update: -learning_rate * update, updates), state


def make_members(
    make_model: Callable[[nnx.Rngs], Forecaster], config: Config, members: Members, total_steps: int
) -> tuple[nnx.GraphDef, Any]:
    """The structure of `(model, optimizer)` in training mode, and the state of each member before its first step."""
    optimizer = make_optimizer(config, total_steps)
    root = keys_of(config.seed).params

    def make(number: Int[Array, ""]) -> tuple[Forecaster, nnx.Optimizer]:
        model = make_model(nnx.Rngs(params=jax.random.fold_in(root, number)))
        model.train()
        return model, nnx.Optimizer(model, optimizer, wrt=nnx.Param)

    state = jax.jit(jax.vmap(lambda number: nnx.state(make(number))))(members.number)
    return nnx.graphdef(nnx.eval_shape(lambda: make(jnp.int32(0)))), state


def pinball_loss(
    quantiles: Float[Array, "batch days horizon levels"],
    targets: Float[Array, "batch days horizon"],
    known: Bool[Array, "batch days"],
) -> Float[Array, ""]:
    """max(q (y - x), (q - 1) (y - x)) for level q, forecast x and target y; its mean over levels, horizon and days.

    Koenker and Bassett 1978, "Regression Quantiles": lowest in expectation at the true quantiles.
    """
    gap = targets[..., None] - quantiles
    levels = jnp.array(LEVELS)
    loss = jnp.maximum(levels * gap, (levels - 1) * gap).mean(axis=(2, 3))
    return jnp.where(known, loss, 0.0).sum() / jnp.maximum(known.sum(), 1)


def train_step(
    model: Forecaster,
    optimizer: nnx.Optimizer,
    batch: Series,
    *,
    learning_rate: Float[Array, ""],
    rngs: nnx.Rngs,
) -> Float[Array, ""]:
    """Update one model once; returns the loss.

    Args:
        model, optimizer: of one member.
        batch: windows of a series, `(batch, lookback, ...)`.
        learning_rate: at the peak of the cycle.
        rngs: stream `dropout`.
    """

    def loss_fn(model: Forecaster, rngs: nnx.Rngs) -> Float[Array, ""]:
        return pinball_loss(model(batch.values, rngs), batch.targets, batch.known)

    loss, grads = nnx.value_and_grad(loss_fn)(model, rngs)
    optimizer.update(model, grads, learning_rate=learning_rate)
    return loss


def make_train_steps(graph: nnx.GraphDef, config: Config, *, steps_per_epoch: int, mesh: Mesh) -> Wrapped:
    """Jitted function from (TrainState, Members, Series, ends, first, last) to the TrainState after these steps.

    It makes steps `first` to `last` (exclusive) of one epoch without leaving the device, and takes over the arrays of
    the state it is given.

    Args:
        graph: of `(model, optimizer)`, in training mode.
        config: of the run.
        steps_per_epoch: batches of an epoch; each epoch draws its windows anew.
        mesh: each batch is split along it.
    """
    keys = keys_of(config.seed)
    back = jnp.arange(1 - config.lookback, 1)

    @partial(jax.jit, donate_argnums=0)
    def train_steps(
        state: TrainState,
        members: Members,
        series: Series,
        ends: Int[Array, " windows"],
        first: Int[Array, ""],
        last: Int[Array, ""],
    ) -> TrainState:
        order = jax.random.permutation(jax.random.fold_in(keys.order, first // steps_per_epoch), ends)

        def one_step(step: Int[Array, ""], state: TrainState) -> TrainState:
            start = (step % steps_per_epoch) * config.batch_size
            chosen = jax.lax.dynamic_slice(order, (start,), (config.batch_size,))
            chosen = jax.lax.with_sharding_constraint(chosen, split_rows(mesh))
            batch = jax.tree.map(lambda array: array[chosen[:, None] + back], series)
            key = jax.random.fold_in(keys.dropout, step)

            def one_member(trained: Any, number: Int[Array, ""], learning_rate: Float[Array, ""]):
                model, optimizer = nnx.merge(graph, trained)
                rngs = nnx.Rngs(dropout=jax.random.fold_in(key, number))
                loss = train_step(model, optimizer, batch, learning_rate=learning_rate, rngs=rngs)
                return nnx.state((model, optimizer)), loss

            trained, losses = jax.vmap(one_member)(state.trained, members.number, members.learning_rate)
            return TrainState(trained, state.loss_sum + losses)

        begun = first % steps_per_epoch == 0
        state = state._replace(loss_sum=jnp.where(begun, 0, state.loss_sum))
        return jax.lax.fori_loop(first, last, one_step, state)

    return train_steps


def make_predict(graph: nnx.GraphDef, *, groups: int, lookback: int, mesh: Mesh) -> Wrapped:
    """Jitted function from (models of all members, values, ends) to the quantiles `(groups, ends, horizon, levels)`.

    The quantile of an ensemble is the mean of its members' quantiles, which keeps them in ascending order.

    Args:
        graph: of the model, in evaluation mode.
        groups: ensembles that follow one another among the members.
        lookback: days of a window.
        mesh: the windows are split along it.
    """
    back = jnp.arange(1 - lookback, 1)

    @jax.jit
    def predict(
        models: Any, values: Float[Array, "rows features"], ends: Int[Array, " windows"]
    ) -> Float[Array, "groups windows horizon levels"]:
        ends = jax.lax.with_sharding_constraint(ends, split_rows(mesh))
        inputs = values[ends[:, None] + back]
        quantiles = jax.vmap(lambda state: nnx.merge(graph, state).forecast(inputs))(models)
        ensembles = quantiles.reshape(groups, -1, *quantiles.shape[1:]).mean(axis=1)
        return jax.lax.with_sharding_constraint(ensembles, whole(mesh))

    return predict


def predict_all(
    predict: Callable[..., Any],
    models: Any,
    values: Float[Array | np.ndarray, "rows features"],
    ends: Int[np.ndarray, " windows"],
    batch_size: int,
) -> Float[np.ndarray, "groups windows horizon levels"]:
    """Quantiles for any number of windows, by a program for batches of one size; the last is filled up and cut off."""
    filled = np.pad(ends, (0, -len(ends) % batch_size), mode="edge").astype(np.int32)
    parts = [predict(models, values, filled[i : i + batch_size]) for i in range(0, len(filled), batch_size)]
    return np.concatenate([np.asarray(part) for part in parts], axis=1)[:, : len(ends)]
