"""A causal Transformer layer that remembers: its carry holds the keys and values of the last `context` characters.

Training by segments with this memory is Transformer-XL (Dai et al. 2019, arXiv:1901.02860, section 3.2), with rotary
positions (Su et al. 2021, arXiv:2104.09864) in the place of its relative ones; generating with it is the usual cache of
keys and values. A character sees itself and the `context` before it in its layer, however the text was cut, so that
scoring by segments and writing one character at a time give the same logits.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Bool, Float, Int

from flax_projects.rotary import rotate
from flax_projects.shakespeare.products import Linear, normalized, sums, transpose

ROTARY_BASE = 10_000.0  # the slowest pair of numbers hardly turns within a context


class Memory(NamedTuple):
    """What an attention layer keeps of the text so far: a window that new characters enter at its end."""

    keys: Float[Array, "batch context heads features"]
    """Before their rotation, because that depends on how far away a character is by now."""
    values: Float[Array, "batch context heads features"]
    filled: Int[Array, " batch"]
    """How many places at the end of the window hold a character."""


class Attention(nnx.Module):
    """Multi-head self-attention over a memory and the characters of this call.

    **Shape:** `(batch, time, width)` to the same.

    Args:
        width: features of a character.
        heads: must divide `width`, into even parts.
        context: characters in the memory.
        dtype: of memory and products.
        rngs: stream `params`.
    """

    def __init__(self, width: int, *, heads: int, context: int, dtype: Any, rngs: nnx.Rngs) -> None:
        self.heads, self.context, self.features, self.dtype = heads, context, width // heads, dtype
        self.projection = Linear(width, 3 * width, rngs=rngs)
        self.output = Linear(width, width, rngs=rngs)

    def initial_carry(self, batch: int) -> Memory:
        """The memory before the first character."""
        shape = batch, self.context, self.heads, self.features
        # Two arrays, because both are donated.
        return Memory(jnp.zeros(shape, self.dtype), jnp.zeros(shape, self.dtype), jnp.zeros(batch, jnp.int32))

    def __call__(
        self, inputs: Float[Array, "batch time width"], carry: Memory
    ) -> tuple[Float[Array, "batch time width"], Memory]:
        """Outputs of all times, and the memory after the last."""
        time = inputs.shape[1]
        queries, keys, values = (
            part.reshape(*part.shape[:2], self.heads, self.features)
            for part in jnp.split(self.projection(inputs), 3, axis=-1)
        )
        # No gradient flows into the segment before: it was made with the weights of another step.
        keys = jnp.concatenate([jax.lax.stop_gradient(carry.keys), keys], axis=1)
        values = jnp.concatenate([jax.lax.stop_gradient(carry.values), values], axis=1)
        block = self.context if time % self.context == 0 else time
        outputs = attend(
            windows(rotate(queries, self.context + jnp.arange(time), base=ROTARY_BASE), size=block, stride=block),
            windows(
                rotate(keys, jnp.arange(self.context + time), base=ROTARY_BASE), size=self.context + block, stride=block
            ),
            windows(values, size=self.context + block, stride=block),
            visible(time, self.context, block, carry.filled)[:, :, None],
        )
        outputs = outputs.swapaxes(2, 3).reshape(inputs.shape)
        filled = jnp.minimum(carry.filled + time, self.context)
        return self.output(outputs), Memory(keys[:, time:], values[:, time:], filled)


class TransformerLayer(nnx.Module):
    """Attention, then two products with a squared ReLU between (So et al. 2021, "Primer", arXiv:2109.08668).

    Each has a skip connection, and normalises its inputs first (Xiong et al. 2020, arXiv:2002.04745).

    **Shape:** `(batch, time, width)` to the same.
    """

    def __init__(self, width: int, *, heads: int, context: int, dropout: float, dtype: Any, rngs: nnx.Rngs) -> None:
        self.attention = Attention(width, heads=heads, context=context, dtype=dtype, rngs=rngs)
        self.widen = Linear(width, 4 * width, rngs=rngs)
        self.narrow = Linear(4 * width, width, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, broadcast_dims=(1,))

    def initial_carry(self, batch: int) -> Memory:
        """The memory before the first character."""
        return self.attention.initial_carry(batch)

    def __call__(
        self, inputs: Float[Array, "batch time width"], carry: Memory, rngs: nnx.Rngs | None = None
    ) -> tuple[Float[Array, "batch time width"], Memory]:
        """Outputs of all times, and the memory after the last."""
        attended, carry = self.attention(normalized(inputs), carry)
        inputs = inputs + self.dropout(attended, rngs=rngs)
        changed = self.narrow(nnx.relu(self.widen(normalized(inputs))) ** 2)
        return inputs + self.dropout(changed, rngs=rngs), carry


def windows(
    vectors: Float[Array, "batch time heads features"], *, size: int, stride: int
) -> Float[Array, "batch windows heads size features"]:
    """Overlapping pieces of a sequence, so that a character is compared with those near it only."""
    count = (vectors.shape[1] - size) // stride + 1
    pieces = [vectors[:, i * stride : i * stride + size] for i in range(count)]
    return jnp.stack(pieces, axis=1).swapaxes(2, 3)


def visible(
    time: int, context: int, block: int, filled: Int[Array, " batch"]
) -> Bool[Array, "batch blocks block places"]:
    """Which characters of its window each new character may look at: itself and the `context` before it.

    Args:
        time: new characters, in blocks of `block`; the window of a block begins `context` characters before it.
        context: places in the memory.
        block: divides `time`.
        filled: places of the memory that hold a character, at its end.
    """
    query, key = jnp.arange(block)[:, None], jnp.arange(context + block)
    near = (key >= query) & (key <= query + context)
    place = block * jnp.arange(time // block)[:, None] + key  # in memory and new characters together
    there = place >= context - filled[:, None, None]
    return near & there[:, :, None]


@jax.custom_vjp
def attend(
    queries: Float[Array, "*batch time features"],
    keys: Float[Array, "*batch places features"],
    values: Float[Array, "*batch places features"],
    mask: Bool[Array, "..."],
) -> Float[Array, "*batch time features"]:
    """softmax(queries keys' / sqrt(features)) values, over the places where the mask is True.

    The backward pass computes the weights anew instead of keeping them (Dao et al. 2022, "FlashAttention",
    arXiv:2205.14135, appendix B), and their transpose from transposed inputs, because moving them is slower.
    """
    return _attend(queries, keys, values, mask)[0]


def _scores(left, right, mask):
    return jnp.where(mask, sums(left, transpose(right)) * left.shape[-1] ** -0.5, -jnp.inf)


def _attend(queries, keys, values, mask):
    scores = _scores(queries, keys, mask)
    log_sums = jax.nn.logsumexp(scores, axis=-1, keepdims=True)
    weights = jnp.exp(scores - log_sums).astype(values.dtype)
    return sums(weights, values).astype(values.dtype), log_sums


def _attend_forward(queries, keys, values, mask):
    outputs, log_sums = _attend(queries, keys, values, mask)
    return outputs, (queries, keys, values, mask, outputs, log_sums)


def _attend_backward(residuals, gradient):
    queries, keys, values, mask, outputs, log_sums = residuals
    dtype, scale = values.dtype, queries.shape[-1] ** -0.5
    wide = gradient.astype(jnp.float32)
    means = jnp.sum(wide * outputs.astype(jnp.float32), axis=-1, keepdims=True)

    weights = jnp.exp(_scores(queries, keys, mask) - log_sums)
    to_scores = (weights * (sums(gradient, transpose(values)) - means) * scale).astype(dtype)
    to_queries = sums(to_scores, keys)

    flip = partial(jnp.swapaxes, axis1=-1, axis2=-2)
    weights = jnp.exp(_scores(keys, queries, flip(mask)) - flip(log_sums))
    to_scores = (weights * (sums(values, transpose(gradient)) - flip(means)) * scale).astype(dtype)
    to_keys, to_values = sums(to_scores, queries), sums(weights.astype(dtype), gradient)
    return to_queries.astype(dtype), to_keys.astype(dtype), to_values.astype(dtype), None


attend.defvjp(_attend_forward, _attend_backward)
