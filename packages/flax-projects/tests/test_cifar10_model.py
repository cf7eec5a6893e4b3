"""Layers against numbers worked out by hand, and what is true of both networks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from flax_projects.cifar10.config import Config
from flax_projects.cifar10.convolution import convolve_by_products, convolve_by_xla
from flax_projects.cifar10.model import (
    Convolution,
    Network,
    PlainBlock,
    ResidualBlock,
    WhiteningStem,
    max_pool,
    whitening_filters,
)
from flax_projects.cifar10.step import loss_fn, train_step

IMPLEMENTATIONS = (convolve_by_products, convolve_by_xla)


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("convolve", IMPLEMENTATIONS)
def test_a_convolution_by_hand(convolve):
    inputs = jnp.arange(1.0, 10).reshape(1, 3, 3, 1)
    above_left = jnp.zeros((3, 3, 1, 1)).at[0, 0].set(1)
    np.testing.assert_array_equal(convolve(inputs, above_left)[0, ..., 0], [[0, 0, 0], [0, 1, 2], [0, 4, 5]])
    np.testing.assert_array_equal(convolve(inputs, jnp.ones((3, 3, 1, 1)))[0, 1, 1], [45])


@pytest.mark.parametrize(
    ("height", "width", "before", "after"), [(5, 4, 3, 7), (1, 2, 4, 2), (3, 3, 7, 2), (2, 1, 3, 3)]
)
def test_products_equal_the_convolution_and_so_do_their_gradients(height, width, before, after):
    inputs, kernel = normal(0, before, height, width, 2), normal(1, 3, 3, before, after)
    gradient = normal(2, after, height, width, 2)
    (ours, our_gradients), (theirs, their_gradients) = (jax.vjp(f, inputs, kernel) for f in IMPLEMENTATIONS)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    for mine, reference in zip(our_gradients(gradient), their_gradients(gradient), strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("before", "after"), [(200, 1), (1, 200)])
def test_products_in_bfloat16_sum_in_float32(before, after):
    """Ones summed in bfloat16 stop growing at 256, here in the outputs or in the gradient of the inputs."""
    inputs, kernel = jnp.ones((before, 3, 3, 1), jnp.bfloat16), jnp.ones((3, 3, before, after), jnp.bfloat16)
    outputs, gradients = jax.vjp(convolve_by_products, inputs, kernel)
    assert outputs.dtype == jnp.bfloat16
    assert float(outputs[0, 1, 1, 0]) == 9 * before
    to_inputs, to_kernel = gradients(jnp.ones_like(outputs))
    assert (to_inputs.dtype, to_kernel.dtype) == (jnp.bfloat16, jnp.bfloat16)
    assert float(to_inputs[0, 1, 1, 0]) == 9 * after


def test_the_gradient_of_a_kernel_sums_in_float32():
    inputs, kernel = jnp.ones((1, 32, 32, 1), jnp.bfloat16), jnp.ones((3, 3, 1, 1), jnp.bfloat16)
    outputs, gradients = jax.vjp(convolve_by_products, inputs, kernel)
    assert float(gradients(jnp.ones_like(outputs))[1][1, 1, 0, 0]) == 1024


def test_max_pool_by_hand_and_its_gradient_goes_to_the_largest():
    inputs = jnp.array([[1.0, 2, 5, 0, 9], [3, 4, 7, 7, 9]]).reshape(1, 2, 5, 1)
    np.testing.assert_array_equal(max_pool(inputs).ravel(), [4, 7])
    gradient = jax.grad(lambda x: (max_pool(x).ravel() * jnp.array([10.0, 20])).sum())(inputs)
    # Two sevens share what goes to the largest; the fifth column is left out.
    np.testing.assert_array_equal(gradient[0, ..., 0], [[0, 0, 0, 0, 0], [0, 10, 10, 10, 0]])


def test_the_stem_by_hand():
    """One 2 x 2 filter that averages red, taken with both signs, at every place where it fits."""
    filters = np.zeros((2, 2, 3, 1), np.float32)
    filters[:, :, 0] = 0.25
    red = jnp.zeros((3, 3, 3, 1)).at[0].set(jnp.arange(9.0).reshape(3, 3, 1))
    outputs = WhiteningStem(filters)(red)
    expected = jnp.array([[2.0, 3], [5, 6]])  # means of 0 1 3 4, of 1 2 4 5, of 3 4 6 7, of 4 5 7 8
    np.testing.assert_allclose(outputs[0, ..., 0], nnx.gelu(expected), rtol=1e-6)
    np.testing.assert_allclose(outputs[1, ..., 0], nnx.gelu(-expected), rtol=1e-6)


def test_a_stem_of_stride_two_looks_at_every_other_patch():
    filters = whitening_filters(np.asarray(normal(6, 20, 8, 8, 3)), 4)
    images = normal(7, 3, 8, 8, 2)
    outputs = WhiteningStem(filters)(images)
    assert outputs.shape == (96, 3, 3, 2)
    response = jnp.einsum("ijca,cij->a", filters, images[:, 2:6, 4:8, 1])
    np.testing.assert_allclose(outputs[:48, 1, 2, 1], nnx.gelu(response), rtol=1e-4, atol=1e-5)


def test_whitened_patches_are_uncorrelated_with_unit_variance():
    images = np.random.default_rng(0).normal(size=(400, 8, 8, 3)).astype(np.float32)
    images[:, :, 1:] += 0.9 * images[:, :, :-1]  # neighbours alike
    filters = whitening_filters(images, 2, epsilon=0.0)
    patches = images.reshape(400, 4, 2, 4, 2, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 12)
    responses = patches @ filters.reshape(12, 12)
    np.testing.assert_allclose(np.cov(responses, rowvar=False), np.eye(12), atol=1e-4)


def test_a_residual_block_with_dead_branches_passes_its_skip_on():
    block = ResidualBlock(2, 2, convolve=convolve_by_xla, dtype=jnp.float32, rngs=nnx.Rngs(0))
    for part in (block.first, block.second, block.third):
        part.norm.use_running_average = True  # mean 0 and variance 1, as initialised
    identity = jnp.zeros((3, 3, 2, 2)).at[1, 1].set(jnp.eye(2))
    block.first.kernel[...] = identity
    block.third.kernel[...] = jnp.zeros_like(identity)
    inputs = jnp.full((2, 2, 2, 1), 3.0)
    np.testing.assert_allclose(block(inputs), nnx.gelu(nnx.gelu(jnp.full((2, 1, 1, 1), 3.0))), rtol=1e-4)


def test_a_plain_block_by_hand():
    block = PlainBlock(1, 1, convolve=convolve_by_xla, dtype=jnp.float32, rngs=nnx.Rngs(0))
    for part, factor in ((block.first, 2.0), (block.second, 5.0)):
        part.norm.use_running_average = True
        part.kernel[...] = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(factor)
    inputs = jnp.array([[1.0, 0], [0, 0]]).reshape(1, 2, 2, 1)
    expected = nnx.gelu(5 * nnx.gelu(jnp.float32(2)))
    np.testing.assert_allclose(block(inputs).ravel(), [expected], rtol=1e-4)


def test_batch_normalisation_follows_the_pooling():
    """Pooled values 4 and 8 become -1 and 1; had the norm come first, they would not."""
    layer = Convolution(1, 1, pool=True, convolve=convolve_by_xla, dtype=jnp.float32, rngs=nnx.Rngs(0))
    layer.kernel[...] = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1)
    inputs = jnp.array([[1.0, 2, 5, 6], [3, 4, 7, 8]]).reshape(1, 2, 4, 1)
    np.testing.assert_allclose(layer(inputs).ravel(), [-1, 1], atol=1e-4)


def tiny(**options):
    return Config(**{"widths": (8, 12), "precision": "fp32", "batch_size": 20, "dropout": 0.0, **options})


def network(config, seed=0):
    size = 2 * config.stem_stride
    images = np.random.default_rng(0).normal(size=(50, 32, 32, 3)).astype(np.float32)
    return Network(config, whitening_filters(images, size), rngs=nnx.Rngs(seed))


@pytest.mark.parametrize("model", ["cnn", "resnet"])
@pytest.mark.parametrize("stem_stride", [1, 2])
def test_every_parameter_learns_and_the_untrained_loss_is_that_of_guessing(model, stem_stride):
    net = network(tiny(model=model, stem_stride=stem_stride))
    inputs, labels = normal(3, 20, 32, 32, 3), jnp.arange(20) % 10
    gradient = nnx.jit(lambda net: nnx.value_and_grad(loss_fn, has_aux=True)(net, inputs, labels, 0.0))
    (loss, logits), grads = gradient(net)
    assert logits.shape == (20, 10)
    assert logits.dtype == jnp.float32
    assert abs(float(loss) - np.log(10)) < 0.1
    leaves = jax.tree_util.tree_leaves_with_path(grads)
    assert len(leaves) >= 2 * (3 * 2) + 2
    for path, leaf in leaves:
        assert np.isfinite(leaf).all(), path
        assert float(jnp.abs(leaf).max()) > 0, path


@pytest.mark.parametrize("model", ["cnn", "resnet"])
def test_one_batch_is_learned_by_heart(model):
    net = network(tiny(model=model))
    optimizer = nnx.Optimizer(net, optax.adam(1e-2), wrt=nnx.Param)
    inputs, labels = normal(3, 20, 32, 32, 3), jnp.arange(20) % 10
    step = nnx.jit(
        lambda net, optimizer: train_step(net, optimizer, inputs, labels, label_smoothing=0.0, rngs=nnx.Rngs(0))
    )
    for _ in range(80):
        loss, correct = step(net, optimizer)
    assert int(correct) == 20
    assert float(loss) < 0.1


def test_dropout_is_on_in_training_only():
    net = network(tiny(dropout=0.5))
    inputs = normal(4, 4, 32, 32, 3)
    net.eval()
    outputs = nnx.jit(lambda net, key: net(inputs, nnx.Rngs(dropout=key)))
    np.testing.assert_array_equal(outputs(net, jax.random.key(0)), outputs(net, jax.random.key(1)))
    net.train()
    assert not np.array_equal(outputs(net, jax.random.key(0)), outputs(net, jax.random.key(1)))


def test_bfloat16_gives_nearly_the_same_logits():
    inputs = normal(5, 4, 32, 32, 3)
    nets = [network(tiny(precision=precision)) for precision in ("fp32", "bf16")]
    full, half = (np.asarray(nnx.view(net, deterministic=True, use_running_average=True)(inputs)) for net in nets)
    assert half.dtype == np.float32
    assert 0 < np.abs(full - half).max() < 0.05 * np.abs(full).max()
