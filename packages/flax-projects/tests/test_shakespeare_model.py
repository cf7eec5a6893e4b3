"""The three models: against Flax's own cells, against themselves in other pieces, and through every gradient."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from flax_projects.shakespeare.config import MODELS, PRESETS
from flax_projects.shakespeare.model import LanguageModel
from flax_projects.shakespeare.products import outer_sum, product
from flax_projects.shakespeare.recurrent import GRU, LSTM, LSTMCarry
from flax_projects.shakespeare.step import loss_fn
from flax_projects.shakespeare.transformer import attend, visible

SMALL = dataclasses.replace(
    PRESETS["cpu"], data="sample", layers=2, width=16, heads=2, context=6, segment=8, precision="fp32", tied=False
)
VOCAB = 11


def small_model(name, **options):
    return LanguageModel(dataclasses.replace(SMALL, model=name, **options), VOCAB, rngs=nnx.Rngs(params=0))


@jax.jit
def apply(model, ids, carry, rngs=None):
    """The model in one compiled call; a call for each operation takes ten times as long."""
    return model(ids, carry, rngs)


def gradients(function, *arguments):
    """Of the sum of what the function gives, to each of three arguments."""
    return jax.jit(jax.grad(lambda *a: function(*a).sum(), argnums=(0, 1, 2)))(*arguments)


def random_ids(batch, time, seed=0):
    return jnp.asarray(np.random.default_rng(seed).integers(0, VOCAB, (batch, time)), jnp.int32)


def filled(model, scale=0.3):
    """The same model with every parameter away from zero, so that nothing is right by chance."""
    graph, state = nnx.split(model)
    leaves, tree = jax.tree.flatten(state)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [leaf + scale * jax.random.normal(key, leaf.shape) for leaf, key in zip(leaves, keys, strict=True)]
    return nnx.merge(graph, jax.tree.unflatten(tree, noisy))


class TestRecurrentLayers:
    """Weights copied, results compared."""

    FEATURES, HIDDEN, BATCH, TIME = 5, 7, 3, 4

    def inputs(self):
        return jax.random.normal(jax.random.key(3), (self.BATCH, self.TIME, self.FEATURES))

    def lstm_pair(self):
        ours = filled(LSTM(self.FEATURES, self.HIDDEN, rngs=nnx.Rngs(params=0)))
        theirs = nnx.OptimizedLSTMCell(self.FEATURES, self.HIDDEN, rngs=nnx.Rngs(0))
        theirs.dense_i.kernel[...] = ours.input_kernel[...]
        theirs.dense_h.kernel[...] = ours.recurrent_kernel[...]
        theirs.dense_h.bias[...] = ours.bias[...]
        h, c = jax.random.normal(jax.random.key(4), (2, self.BATCH, self.HIDDEN))
        return ours, LSTMCarry(h, c), theirs, (c, h)

    def gru_pair(self):
        ours = filled(GRU(self.FEATURES, self.HIDDEN, rngs=nnx.Rngs(params=0)))
        theirs = nnx.GRUCell(self.FEATURES, self.HIDDEN, rngs=nnx.Rngs(0))
        theirs.dense_i.kernel[...] = ours.input_kernel[...]
        theirs.dense_i.bias[...] = ours.bias[...]
        theirs.dense_h.kernel[...] = ours.recurrent_kernel[...]
        h = jax.random.normal(jax.random.key(4), (self.BATCH, self.HIDDEN))
        return ours, h, theirs, h

    @pytest.mark.parametrize("kind", ["lstm", "gru"])
    def test_outputs_and_gradients_are_those_of_flax_cells(self, kind):
        ours, our_carry, theirs, their_carry = getattr(self, f"{kind}_pair")()
        inputs = self.inputs()
        weights = jax.random.normal(jax.random.key(5), (self.BATCH, self.TIME, self.HIDDEN))

        def our_loss(layer, inputs, carry):
            outputs, carry = layer(inputs, carry)
            return (weights * outputs).sum() + sum(array.sum() for array in jax.tree.leaves(carry))

        def their_loss(cell, inputs, carry):
            outputs = []
            for time in range(self.TIME):
                carry, output = cell(carry, inputs[:, time])
                outputs.append(output)
            return (weights * jnp.stack(outputs, 1)).sum() + sum(array.sum() for array in jax.tree.leaves(carry))

        ours_all = jax.jit(nnx.value_and_grad(our_loss, argnums=(0, 1, 2)))(ours, inputs, our_carry)
        theirs_all = jax.jit(nnx.value_and_grad(their_loss, argnums=(0, 1, 2)))(theirs, inputs, their_carry)
        assert ours_all[0] == pytest.approx(float(theirs_all[0]), rel=1e-5)
        our_grads, to_inputs, to_carry = ours_all[1]
        their_grads, their_to_inputs, their_to_carry = theirs_all[1]
        their_bias = their_grads.dense_h.bias if kind == "lstm" else their_grads.dense_i.bias
        if kind == "lstm":
            their_to_carry = LSTMCarry(h=their_to_carry[1], c=their_to_carry[0])
        compared = [
            (our_grads.input_kernel[...], their_grads.dense_i.kernel[...]),
            (our_grads.recurrent_kernel[...], their_grads.dense_h.kernel[...]),
            (our_grads.bias[...], their_bias[...]),
            (to_inputs, their_to_inputs),
            *zip(jax.tree.leaves(to_carry), jax.tree.leaves(their_to_carry), strict=True),
        ]
        for one, other in compared:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("cell", [LSTM, GRU])
    def test_bf16_is_close_to_fp32(self, cell):
        layer = cell(self.FEATURES, self.HIDDEN, rngs=nnx.Rngs(params=0))
        carry = layer.initial_carry(self.BATCH)
        exact, _ = apply(layer, self.inputs(), carry)
        rounded, _ = apply(layer, self.inputs().astype(jnp.bfloat16), carry)
        assert rounded.dtype == jnp.bfloat16
        np.testing.assert_allclose(rounded.astype(jnp.float32), exact, atol=0.03)


class TestProducts:
    @pytest.mark.parametrize("rows", [3, 512, 1100])
    def test_gradients_are_those_of_a_plain_product(self, rows):
        inputs, kernel, bias = (
            jax.random.normal(jax.random.key(i), s) for i, s in enumerate([(rows, 4), (4, 6), (6,)])
        )
        weights = jax.random.normal(jax.random.key(9), (rows, 6))
        ours = jax.jit(jax.grad(lambda *a: (weights * product(*a)).sum(), argnums=(0, 1, 2)))(inputs, kernel, bias)
        plain = jax.jit(jax.grad(lambda x, w, b: (weights * (x @ w + b)).sum(), argnums=(0, 1, 2)))(
            inputs, kernel, bias
        )
        for one, other in zip(ours, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)

    def test_outer_sum_by_hand(self):
        left, right = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
        np.testing.assert_allclose(outer_sum(left, right), [[1, 3, 5], [2, 4, 8]])


class TestAttention:
    def test_gradients_are_those_of_the_formula(self):
        queries, keys, values, weights = (
            jax.random.normal(jax.random.key(i), (2, time, 4)) for i, time in enumerate((3, 5, 5, 3))
        )
        mask = jnp.arange(5) <= jnp.arange(3)[:, None] + 2

        def formula(queries, keys, values):
            scores = jnp.where(mask, queries @ keys.swapaxes(1, 2) / 2, -jnp.inf)
            return jax.nn.softmax(scores) @ values

        np.testing.assert_allclose(attend(queries, keys, values, mask), formula(queries, keys, values), rtol=1e-5)
        ours = jax.jit(jax.grad(lambda *a: (weights * attend(*a, mask)).sum(), argnums=(0, 1, 2)))(
            queries, keys, values
        )
        plain = jax.jit(jax.grad(lambda *a: (weights * formula(*a)).sum(), argnums=(0, 1, 2)))(queries, keys, values)
        for one, other in zip(ours, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)

    def test_a_character_sees_itself_and_the_context_before_it(self):
        mask = visible(4, 2, 2, jnp.array([0, 1]))
        first_block = [[[0, 0, 1, 0], [0, 0, 1, 1]], [[0, 1, 1, 0], [0, 1, 1, 1]]]
        np.testing.assert_array_equal(mask[:, 0], first_block)
        np.testing.assert_array_equal(mask[:, 1], [[[1, 1, 1, 0], [0, 1, 1, 1]]] * 2)


@pytest.mark.parametrize("name", MODELS)
class TestLanguageModel:
    def test_pieces_give_the_logits_of_the_whole(self, name):
        model = filled(nnx.view(small_model(name), deterministic=True))
        ids = random_ids(2, 24)
        whole, last = apply(model, ids, model.initial_carry(2))
        for lengths in ([8, 8, 8], [5, 12, 7], [1] * 24):
            carry, pieces, start = model.initial_carry(2), [], 0
            for length in lengths:
                logits, carry = apply(model, ids[:, start : start + length], carry)
                pieces.append(logits)
                start += length
            np.testing.assert_allclose(jnp.concatenate(pieces, 1), whole, atol=2e-5)
        for one, other in zip(jax.tree.leaves(carry), jax.tree.leaves(last), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-5)

    def test_the_future_changes_nothing(self, name):
        model = filled(nnx.view(small_model(name), deterministic=True))
        ids = random_ids(2, 12)
        logits, _ = apply(model, ids, model.initial_carry(2))
        changed, _ = apply(model, ids.at[:, 7].add(1) % VOCAB, model.initial_carry(2))
        np.testing.assert_array_equal(changed[:, :7], logits[:, :7])
        assert not np.allclose(changed[:, 7], logits[:, 7])

    def test_the_past_is_carried(self, name):
        model = filled(nnx.view(small_model(name), deterministic=True))
        ids = random_ids(1, 12)
        _, carry = apply(model, ids[:, :6], model.initial_carry(1))
        after, _ = apply(model, ids[:, 6:], carry)
        alone, _ = apply(model, ids[:, 6:], model.initial_carry(1))
        assert np.abs(after - alone).max() > 1e-2

    @pytest.mark.parametrize("tied", [False, True])
    def test_every_parameter_gets_a_gradient(self, name, tied):
        model = filled(small_model(name, tied=tied))
        rngs = nnx.Rngs(dropout=0)
        ids = random_ids(4, 9)
        grads = jax.jit(nnx.grad(loss_fn, has_aux=True))(model, ids, model.initial_carry(4), rngs)[0]
        for path, gradient in nnx.to_flat_state(nnx.state(grads)):
            assert np.abs(gradient[...]).max() > 0, path

    @pytest.mark.parametrize("tied", [False, True])
    def test_untrained_loss_is_near_that_of_guessing(self, name, tied):
        model = nnx.view(small_model(name, tied=tied), deterministic=True)
        loss, _ = jax.jit(loss_fn)(model, random_ids(8, 50), model.initial_carry(8))
        assert float(loss) == pytest.approx(np.log(VOCAB), abs=0.3)

    def test_dropout_is_locked_and_needs_no_key_when_off(self, name):
        model = small_model(name, dropout=0.5, input_dropout=0.5)
        ids = random_ids(2, 6)
        one, _ = apply(filled(model), ids, model.initial_carry(2), nnx.Rngs(dropout=0))
        other, _ = apply(filled(model), ids, model.initial_carry(2), nnx.Rngs(dropout=1))
        assert not np.allclose(one, other)
        still = filled(nnx.view(model, deterministic=True))
        assert np.isfinite(apply(still, ids, model.initial_carry(2))[0]).all()

    def test_bf16_logits_are_float32_and_close(self, name):
        exact, rounded = (
            filled(nnx.view(small_model(name, precision=precision), deterministic=True), scale=0.05)
            for precision in ("fp32", "bf16")
        )
        ids = random_ids(2, 10)
        logits, _ = apply(rounded, ids, rounded.initial_carry(2))
        assert logits.dtype == jnp.float32
        np.testing.assert_allclose(logits, apply(exact, ids, exact.initial_carry(2))[0], atol=0.1)


def test_weight_dropout_drops_recurrent_weights_in_training_only():
    model = small_model("lstm", weight_dropout=0.5, dropout=0.0)
    ids = random_ids(2, 6)
    noisy = [apply(filled(model), ids, model.initial_carry(2), nnx.Rngs(dropout=seed))[0] for seed in (0, 1)]
    assert not np.allclose(*noisy)
    still = filled(nnx.view(model, deterministic=True))
    assert np.isfinite(apply(still, ids, model.initial_carry(2))[0]).all()
