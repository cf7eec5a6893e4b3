"""From logits to text: greedy, temperature, top-k, nucleus and beam search.

The choice of a character is a pure function of logits and a key. A model is no more than a function

    logits, carry = model(input_ids, carry)

of arrays whose first axis is the batch, so that the loops are tested on toy models.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

Model = Callable[[Int[Array, "batch time"], Any], tuple[Float[Array, "batch time vocab"], Any]]
Logits = Float[Array, "*batch vocab"]


class Sampling(NamedTuple):
    """How characters are drawn. Each narrows what the one before leaves."""

    temperature: float = 1.0
    """Logits are divided by it: below 1 the likely becomes likelier; 0 takes the likeliest always."""
    top_k: int = 0
    """Only the k likeliest; 0 for all."""
    top_p: float = 1.0
    """Only the fewest that together have this probability (Holtzman et al. 2020, arXiv:1904.09751, section 3.1)."""


def keep_top_k(logits: Logits, k: int) -> Logits:
    """All but the k largest become -inf; of equal ones at the edge all stay."""
    if k >= logits.shape[-1]:
        return logits
    smallest = jax.lax.top_k(logits, k)[0][..., -1:]
    return jnp.where(logits < smallest, -jnp.inf, logits)


def keep_nucleus(logits: Logits, p: float) -> Logits:
    """All but the nucleus become -inf: the fewest characters, likeliest first, whose probabilities sum to p or more."""
    order = jnp.argsort(-logits, axis=-1)
    probabilities = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1))
    before = jnp.cumsum(probabilities, axis=-1) - probabilities
    inside = jnp.take_along_axis(before < p, jnp.argsort(order, axis=-1), axis=-1)
    return jnp.where(inside, logits, -jnp.inf)


def adjusted(logits: Logits, sampling: Sampling) -> Logits:
    """Logits of the distribution that is drawn from, for a temperature above 0."""
    logits = logits / sampling.temperature
    if sampling.top_k:
        logits = keep_top_k(logits, sampling.top_k)
    return keep_nucleus(logits, sampling.top_p) if sampling.top_p < 1 else logits


def choose(key: PRNGKeyArray, logits: Logits, sampling: Sampling) -> Int[Array, "*batch"]:
    """The next character of each row."""
    if sampling.temperature == 0:
        return logits.argmax(-1).astype(jnp.int32)
    return jax.random.categorical(key, adjusted(logits, sampling)).astype(jnp.int32)


class Writing(NamedTuple):
    """The state of a text: all that the next character depends on."""

    logits: Float[Array, "batch vocab"]
    """Of the next character."""
    carry: Any
    step: Int[Array, ""]
    """Characters written so far."""


def read(model: Model, prompts: Int[Array, "batch time"], carry: Any) -> Writing:
    """The state after a prompt."""
    logits, carry = model(prompts, carry)
    return Writing(logits[:, -1], carry, jnp.int32(0))


def write(
    model: Model, writing: Writing, length: int, sampling: Sampling, key: PRNGKeyArray
) -> tuple[Writing, Int[Array, "batch length"], Float[Array, "batch length"]]:
    """Write some characters more; in pieces or at once, the text is the same.

    Args:
        model: that writes.
        writing: the state of the text.
        length: characters to write.
        sampling: how they are drawn.
        key: of the whole text; each character has its own, by its number.

    Returns:
        The new state; the characters; and the log probability that the model gives each of them, before temperature,
        top-k and nucleus.
    """

    def one(writing: Writing, _: None):
        ids = choose(jax.random.fold_in(key, writing.step), writing.logits, sampling)
        log_probs = jnp.take_along_axis(jax.nn.log_softmax(writing.logits), ids[:, None], axis=-1)[:, 0]
        logits, carry = model(ids[:, None], writing.carry)
        return Writing(logits[:, 0], carry, writing.step + 1), (ids, log_probs)

    writing, (ids, log_probs) = jax.lax.scan(one, writing, length=length)
    return writing, ids.T, log_probs.T


class Beams(NamedTuple):
    """The continuations found for each prompt, the likeliest first."""

    ids: Int[Array, "batch beams length"]
    log_probability: Float[Array, "batch beams"]
    """Of the whole continuation."""


def beam_search(model: Model, prompts: Int[Array, "batch time"], carry: Any, *, beams: int, length: int) -> Beams:
    """The likeliest continuations of a length, as far as keeping the best `beams` after each character finds them.

    All continuations have one length, so that their probabilities need no correction for it. With
    beams >= vocab ** (length - 1) nothing is ever lost, and the search is exhaustive.

    Args:
        model: that writes.
        prompts: one for each search.
        carry: before the prompts.
        beams: kept for each prompt.
        length: characters to write.
    """
    batch = len(prompts)
    logits, carry, _ = read(model, prompts, carry)
    vocab = logits.shape[-1]
    # One beam holds the prompt; the others begin impossible, and are crowded out by its continuations.
    scores = jnp.full((batch, beams), -jnp.inf).at[:, 0].set(0.0)
    logits, carry = jax.tree.map(lambda array: jnp.repeat(array, beams, axis=0), (logits, carry))

    def one(state, step):
        scores, logits, carry, ids = state
        each = scores[..., None] + jax.nn.log_softmax(logits).reshape(batch, beams, vocab)
        scores, best = jax.lax.top_k(each.reshape(batch, beams * vocab), beams)
        parent, chosen = best // vocab, best % vocab
        rows = (jnp.arange(batch)[:, None] * beams + parent).reshape(-1)
        carry = jax.tree.map(lambda array: array[rows], carry)
        ids = jnp.take_along_axis(ids, parent[..., None], axis=1).at[..., step].set(chosen)
        logits, carry = model(chosen.reshape(-1, 1), carry)
        return (scores, logits[:, 0], carry, ids), None

    ids = jnp.zeros((batch, beams, length), jnp.int32)
    (scores, _, _, ids), _ = jax.lax.scan(one, (scores, logits, carry, ids), jnp.arange(length))
    return Beams(ids, scores)
