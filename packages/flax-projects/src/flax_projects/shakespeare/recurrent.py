"""LSTM and GRU layers whose time loop does nothing but the one product that cannot be done before or after it.

The inputs of all times are projected in one product before the loop. The backward pass is written by hand: its loop
carries the gradient back through time, and the gradients of kernels and inputs follow it as single products over all
times. Automatic differentiation would add to the gradient of the recurrent kernel in every step instead.

Weights are laid out as in `nnx.OptimizedLSTMCell` and `nnx.GRUCell`, and give the same results.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from flax_projects.shakespeare.products import outer_sum, product, sums, transpose

Outputs = Float[Array, "time batch hidden"]


class LSTMCarry(NamedTuple):
    """Output and cell state after the text so far."""

    h: Float[Array, "batch hidden"]
    c: Float[Array, "batch hidden"]


class Recurrent(nnx.Module):
    """What both layers share: the kernels, and the projection of the inputs.

    Args:
        features: of the inputs.
        hidden: features of the outputs.
        gates: how many times `hidden` the kernels are wide.
        weight_dropout: share of the recurrent kernel dropped, the same for all times of a call (Merity et al. 2017,
            "Regularizing and Optimizing LSTM Language Models", arXiv:1708.02182, section 2).
        rngs: stream `params`.
    """

    def __init__(self, features: int, hidden: int, *, gates: int, weight_dropout: float = 0.0, rngs: nnx.Rngs) -> None:
        self.hidden = hidden
        self.input_kernel = nnx.Param(nnx.initializers.lecun_normal()(rngs.params(), (features, gates * hidden)))
        orthogonal = nnx.initializers.orthogonal()
        blocks = [orthogonal(rngs.params(), (hidden, hidden)) for _ in range(gates)]
        self.recurrent_kernel = nnx.Param(jnp.concatenate(blocks, axis=-1))
        self.bias = nnx.Param(jnp.zeros(gates * hidden))
        self.weight_dropout = nnx.Dropout(weight_dropout)

    def kernel_and_inputs(
        self, inputs: Float[Array, "batch time features"], rngs: nnx.Rngs | None
    ) -> tuple[Float[Array, "hidden gates"], Float[Array, "time batch gates"]]:
        """The recurrent kernel, some of it dropped in training, and the projected inputs, times first."""
        projected = product(inputs.swapaxes(0, 1), self.input_kernel[...], self.bias[...])
        return self.weight_dropout(self.recurrent_kernel[...], rngs=rngs), projected


class LSTM(Recurrent):
    """A layer of long short-term memory (Hochreiter and Schmidhuber 1997), with gates in the order i, f, g, o.

        i, f, o = sigmoid(...), g = tanh(...) of  x W + h U + b;   c' = f c + i g;   h' = o tanh(c')

    **Shape:** `(batch, time, features)` to `(batch, time, hidden)`.
    """

    def __init__(self, features: int, hidden: int, *, weight_dropout: float = 0.0, rngs: nnx.Rngs) -> None:
        super().__init__(features, hidden, gates=4, weight_dropout=weight_dropout, rngs=rngs)

    def initial_carry(self, batch: int) -> LSTMCarry:
        """The carry before the first character."""
        return LSTMCarry(jnp.zeros((batch, self.hidden)), jnp.zeros((batch, self.hidden)))

    def __call__(
        self, inputs: Float[Array, "batch time features"], carry: LSTMCarry, rngs: nnx.Rngs | None = None
    ) -> tuple[Float[Array, "batch time hidden"], LSTMCarry]:
        """Outputs of all times, and the carry after the last."""
        kernel, projected = self.kernel_and_inputs(inputs, rngs)
        outputs, carry = scan_lstm(kernel, projected, carry)
        return outputs.swapaxes(0, 1), carry


class GRU(Recurrent):
    """A layer of gated recurrent units (Cho et al. 2014), with gates in the order r, z, n.

        r, z = sigmoid(x W + h U + b);   n = tanh(x W_n + b_n + r (h U_n));   h' = (1 - z) n + z h

    **Shape:** `(batch, time, features)` to `(batch, time, hidden)`.
    """

    def __init__(self, features: int, hidden: int, *, weight_dropout: float = 0.0, rngs: nnx.Rngs) -> None:
        super().__init__(features, hidden, gates=3, weight_dropout=weight_dropout, rngs=rngs)

    def initial_carry(self, batch: int) -> Float[Array, "batch hidden"]:
        """The carry before the first character."""
        return jnp.zeros((batch, self.hidden))

    def __call__(
        self,
        inputs: Float[Array, "batch time features"],
        carry: Float[Array, "batch hidden"],
        rngs: nnx.Rngs | None = None,
    ) -> tuple[Float[Array, "batch time hidden"], Float[Array, "batch hidden"]]:
        """Outputs of all times, and the carry after the last."""
        kernel, projected = self.kernel_and_inputs(inputs, rngs)
        outputs, carry = scan_gru(kernel, projected, carry)
        return outputs.swapaxes(0, 1), carry


def as_bits(arrays: Any, dtype: Any) -> Any:
    """Arrays in a format, ready for a loop to stack: bfloat16 as integers.

    XLA's CPU backend has no bfloat16 loops, and would convert the whole stack to float32 and back at every step.
    """
    arrays = jax.tree.map(lambda array: array.astype(dtype), arrays)
    if dtype != jnp.bfloat16:
        return arrays
    return jax.tree.map(lambda array: jax.lax.bitcast_convert_type(array, jnp.uint16), arrays)


def from_bits(arrays: Any, dtype: Any) -> Any:
    """The inverse of `as_bits`."""
    if dtype != jnp.bfloat16:
        return arrays
    return jax.tree.map(lambda array: jax.lax.bitcast_convert_type(array, dtype), arrays)


def _recur(h, kernel):
    return sums(h.astype(kernel.dtype), kernel)


def _shifted(first: Float[Array, "batch hidden"], outputs: Outputs) -> Outputs:
    """The output before each time."""
    return jnp.concatenate([first[None].astype(outputs.dtype), outputs[:-1]])


@jax.custom_vjp
def scan_lstm(
    kernel: Float[Array, "hidden gates"], projected: Float[Array, "time batch gates"], carry: LSTMCarry
) -> tuple[Outputs, LSTMCarry]:
    """The time loop of an LSTM.

    Args:
        kernel: U of the equations in `LSTM`, float32.
        projected: x W + b; its format is that of the products and of the outputs.
        carry: before the first time, float32 like all that the loop sums.
    """
    (outputs, _, _), carry = _lstm_loop(kernel, projected, carry)
    return outputs, carry


def _lstm_loop(kernel, projected, carry):
    dtype = projected.dtype
    kernel = kernel.astype(dtype)

    def step(carry: LSTMCarry, projected):
        i, f, g, o = jnp.split(projected + _recur(carry.h, kernel), 4, axis=-1)
        i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
        c = f * carry.c + i * g
        h = o * jnp.tanh(c)
        return LSTMCarry(h, c), as_bits((h, carry.c, jnp.concatenate([i, f, g, o], axis=-1)), dtype)

    last, kept = jax.lax.scan(step, carry, projected)
    return from_bits(kept, dtype), last


def _lstm_forward(kernel, projected, carry):
    (outputs, cells, gates), last = _lstm_loop(kernel, projected, carry)
    return (outputs, last), (kernel, carry.h, outputs, cells, gates)


def _lstm_backward(residuals, gradients):
    kernel, first_h, outputs, cells, gates = residuals
    to_outputs, to_last = gradients
    dtype = gates.dtype
    transposed = transpose(kernel).astype(dtype)

    def step(later: LSTMCarry, kept):
        to_output, cell, gates = kept
        i, f, g, o = jnp.split(gates.astype(jnp.float32), 4, axis=-1)
        squashed = jnp.tanh(f * cell + i * g)
        dh = to_output + later.h
        dc = later.c + dh * o * (1 - squashed**2)
        di, df = dc * g * i * (1 - i), dc * cell * f * (1 - f)
        dg, do = dc * i * (1 - g**2), dh * squashed * o * (1 - o)
        d_gates = jnp.concatenate([di, df, dg, do], axis=-1)
        return LSTMCarry(_recur(d_gates, transposed), dc * f), as_bits(d_gates, dtype)

    to_first, to_projected = jax.lax.scan(step, to_last, (to_outputs, cells, gates), reverse=True)
    to_projected = from_bits(to_projected, dtype)
    to_kernel = outer_sum(_shifted(first_h, outputs), to_projected)
    return to_kernel.astype(kernel.dtype), to_projected, to_first


scan_lstm.defvjp(_lstm_forward, _lstm_backward)


@jax.custom_vjp
def scan_gru(
    kernel: Float[Array, "hidden gates"],
    projected: Float[Array, "time batch gates"],
    carry: Float[Array, "batch hidden"],
) -> tuple[Outputs, Float[Array, "batch hidden"]]:
    """The time loop of a GRU; arguments as those of `scan_lstm`."""
    (outputs, _, _), carry = _gru_loop(kernel, projected, carry)
    return outputs, carry


def _gru_loop(kernel, projected, carry):
    dtype = projected.dtype
    kernel = kernel.astype(dtype)

    def step(h, projected):
        xr, xz, xn = jnp.split(projected.astype(jnp.float32), 3, axis=-1)
        hr, hz, hn = jnp.split(_recur(h, kernel), 3, axis=-1)
        r, z = jax.nn.sigmoid(xr + hr), jax.nn.sigmoid(xz + hz)
        n = jnp.tanh(xn + r * hn)
        h = (1 - z) * n + z * h
        return h, as_bits((h, jnp.concatenate([r, z, n], axis=-1), hn), dtype)

    last, kept = jax.lax.scan(step, carry, projected)
    return from_bits(kept, dtype), last


def _gru_forward(kernel, projected, carry):
    (outputs, gates, hn), last = _gru_loop(kernel, projected, carry)
    return (outputs, last), (kernel, carry, outputs, gates, hn)


def _gru_backward(residuals, gradients):
    kernel, first, outputs, gates, hn = residuals
    to_outputs, to_last = gradients
    dtype = gates.dtype
    transposed = transpose(kernel).astype(dtype)
    before = _shifted(first, outputs)

    def step(later, kept):
        to_output, h, gates, hn = kept
        r, z, n = jnp.split(gates.astype(jnp.float32), 3, axis=-1)
        dh = to_output + later
        dn = dh * (1 - z) * (1 - n**2)
        dz, dr = dh * (h - n) * z * (1 - z), dn * hn * r * (1 - r)
        recurrent = jnp.concatenate([dr, dz, dn * r], axis=-1)
        return _recur(recurrent, transposed) + dh * z, as_bits((recurrent, dn), dtype)

    to_first, kept = jax.lax.scan(step, to_last, (to_outputs, before, gates, hn), reverse=True)
    to_recurrent, dn = from_bits(kept, dtype)
    to_kernel = outer_sum(before, to_recurrent)
    to_projected = to_recurrent.at[..., 2 * first.shape[-1] :].set(dn)
    return to_kernel.astype(kernel.dtype), to_projected, to_first


scan_gru.defvjp(_gru_forward, _gru_backward)
