"""The two compiled programs: many steps of training, and the scoring of a text by segments.

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
from jaxtyping import Array, Float, Int, PRNGKeyArray

from flax_projects.devices import split_rows
from flax_projects.shakespeare.config import Config
from flax_projects.shakespeare.model import LanguageModel

Text = Int[Array, " characters"]


class TrainState(NamedTuple):
    """All that changes from step to step, as one tree of arrays."""

    trained: Any
    """State of `(model, optimizer)`."""
    average: Any
    """State of the model, averaged over steps."""
    carry: Any
    """What the model carries from each segment to the next, for every stream."""
    loss_sum: Float[Array, ""]
    """Over the segments of this epoch so far."""


class Keys(NamedTuple):
    """One root of randomness for each use of it."""

    params: PRNGKeyArray
    offset: PRNGKeyArray
    dropout: PRNGKeyArray
    samples: PRNGKeyArray


def keys_of(seed: int) -> Keys:
    """The keys of a run."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def make_model(config: Config, vocab_size: int) -> LanguageModel:
    """The model of a run, before its first step."""
    return LanguageModel(config, vocab_size, rngs=nnx.Rngs(params=keys_of(config.seed).params))


def evaluation_graph(model: LanguageModel) -> nnx.GraphDef:
    """The structure of the model without dropout."""
    return nnx.graphdef(nnx.view(model, deterministic=True))


def on_one_device(tree: Any) -> Any:
    """Arrays that lie whole on every device of every process, as this process's first device has them."""
    return jax.tree.map(lambda array: array.addressable_data(0), tree)


def segments(
    text: Text, offset: Int[Array, ""], number: Int[Array, ""], *, batch_size: int, segment: int, per_stream: int
) -> Int[Array, "streams places"]:
    """The segments of one step: of `batch_size` streams that lie one after the other in the text, the same place.

    Args:
        text: its end is followed by its beginning, so that a stream may begin anywhere.
        offset: where the first stream begins.
        number: of the segment in its stream.
        batch_size: streams.
        segment: characters, and one more: the first `segment` are read, the last `segment` are their targets.
        per_stream: segments in a stream.
    """
    starts = offset + segment * (per_stream * jnp.arange(batch_size) + number)
    return text[(starts[:, None] + jnp.arange(segment + 1)) % len(text)]


def loss_fn(
    model: LanguageModel, ids: Int[Array, "batch places"], carry: Any, rngs: nnx.Rngs | None = None
) -> tuple[Float[Array, ""], Any]:
    """Mean nats per character of each next character, given the true ones before it; and the carry."""
    logits, carry = model(ids[:, :-1], carry, rngs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:]).mean(), carry


def train_step(
    model: LanguageModel, optimizer: nnx.Optimizer, ids: Int[Array, "batch places"], carry: Any, rngs: nnx.Rngs
) -> tuple[Float[Array, ""], Any]:
    """Update the model once; returns the loss, and the carry for the next segments.

    The gradient ends at the beginning of the segment: truncated back-propagation through time (Werbos 1990).
    """
    (loss, carry), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model, ids, carry, rngs)
    optimizer.update(model, grads)
    return loss, carry


def make_train_steps(graph: nnx.GraphDef, config: Config, *, steps_per_epoch: int, mesh: Mesh) -> Wrapped:
    """Jitted function from (TrainState, text, first, last) to the TrainState after these steps.

    It makes steps `first` to `last` (exclusive) of one epoch without leaving the device, and takes over the arrays of
    the state it is given.

    Args:
        graph: of `(model, optimizer)`, in training mode.
        config: of the run.
        steps_per_epoch: segments in a stream; each epoch cuts the text elsewhere.
        mesh: streams are split along it.
    """
    keys = keys_of(config.seed)
    cut = partial(segments, batch_size=config.batch_size, segment=config.segment, per_stream=steps_per_epoch)

    @partial(jax.jit, donate_argnums=0)
    def train_steps(state: TrainState, text: Text, first: Int[Array, ""], last: Int[Array, ""]) -> TrainState:
        epoch, new_epoch = first // steps_per_epoch, first % steps_per_epoch == 0
        offset = jax.random.randint(jax.random.fold_in(keys.offset, epoch), (), 0, len(text))

        def one_step(step: Int[Array, ""], state: TrainState) -> TrainState:
            ids = jax.lax.with_sharding_constraint(cut(text, offset, step % steps_per_epoch), split_rows(mesh))
            model, optimizer = nnx.merge(graph, state.trained)
            rngs = nnx.Rngs(dropout=jax.random.fold_in(keys.dropout, step))
            loss, carry = train_step(model, optimizer, ids, state.carry, rngs)
            average = optax.incremental_update(nnx.state(model), state.average, 1 - config.ema)
            return TrainState(nnx.state((model, optimizer)), average, carry, state.loss_sum + loss)

        # Nothing is carried over the end of an epoch, where every stream jumps to another place.
        afresh = jax.tree.map(lambda array: jnp.where(new_epoch, jnp.zeros_like(array), array), state.carry)
        state = state._replace(carry=afresh, loss_sum=jnp.where(new_epoch, 0, state.loss_sum))
        return jax.lax.fori_loop(first, last, one_step, state)

    return train_steps


def make_score(graph: nnx.GraphDef) -> Wrapped:
    """Jitted function from (state of the model, ids `(streams, time + 1)`, carry) to (nats `(streams, time)`, carry).

    Args:
        graph: of the model, in evaluation mode.
    """

    @jax.jit
    def score(state: Any, ids: Int[Array, "streams places"], carry: Any) -> tuple[Float[Array, "streams time"], Any]:
        logits, carry = nnx.merge(graph, state)(ids[:, :-1], carry)
        return optax.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:]), carry

    return score


def score_text(
    score: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    context: Int[np.ndarray, " context"],
    ids: Int[np.ndarray, " characters"],
    *,
    segment: int,
    streams: int = 1,
) -> Float[np.ndarray, " characters"]:
    """Nats of every character of a text, given all of it before that and the context.

    With several streams the text is read from several places at once, which is faster. Each stream first reads as many
    characters as the context has, to fill its carry; what lies further back is lost to it.

    Args:
        score: made by `make_score`, with the state of the model.
        carry: of as many streams, before the first character.
        context: the text before, at least one character.
        ids: the text to score.
        segment: characters read in one call.
        streams: places to read from at once.
    """
    text, read = np.concatenate([context, ids]), len(context)
    per_stream = -(-len(ids) // streams)
    length = -(-(read - 1 + per_stream) // segment) * segment
    padded = np.pad(text, (0, (streams - 1) * per_stream + length + 1 - len(text)))
    rows = np.stack([padded[stream * per_stream :][: length + 1] for stream in range(streams)])
    nats = []
    for start in range(0, length, segment):
        scored, carry = score(rows[:, start : start + segment + 1], carry)
        nats.append(scored)
    scored = np.concatenate([np.asarray(part) for part in nats], axis=1)
    return scored[:, read - 1 :][:, :per_stream].reshape(-1)[: len(ids)]
