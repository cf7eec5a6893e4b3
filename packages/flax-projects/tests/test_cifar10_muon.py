"""Muon against the singular value decomposition, and against Optax's."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers, scale_by_muon

from flax_projects.cifar10.muon import muon, orthogonalize


def normal(seed, *shape):
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("shape", [(20, 8), (8, 20), (12, 12)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_it_keeps_the_singular_vectors_and_brings_the_values_near_one(shape, dtype):
    matrix = normal(0, *shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    result = left.T @ np.asarray(orthogonalize(100 * matrix, dtype=dtype)) @ right.T
    plenty = values > 0.1 * values[0]
    assert plenty.sum() >= 8
    assert (np.diag(result)[plenty] > 0.6).all()
    assert (np.diag(result) < 1.3).all()
    np.testing.assert_allclose(result - np.diag(np.diag(result)), 0, atol=1e-4 if dtype == jnp.float32 else 0.1)


def test_bfloat16_rounds_and_float32_does_not():
    matrix = normal(1, 30, 10)
    exact, rounded = orthogonalize(matrix), orthogonalize(matrix, dtype=jnp.bfloat16)
    assert 1e-4 < float(jnp.abs(exact - rounded).max()) < 0.1


def test_no_gradient_gives_no_update():
    np.testing.assert_array_equal(orthogonalize(jnp.zeros((4, 3))), np.zeros((4, 3)))


def test_the_first_direction_is_that_of_optax():
    kernel, gradient = normal(2, 3, 3, 5, 7), normal(3, 3, 3, 5, 7)
    numbers = MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    theirs = scale_by_muon(weight_dimension_numbers=numbers)
    expected = np.asarray(theirs.update(gradient, theirs.init(kernel), kernel)[0])
    ours = muon(1e-3, momentum=0.9)
    # A small step from a kernel of the right length, so that scaling it back leaves what is perpendicular to it.
    kernel = kernel * jnp.sqrt(7) / jnp.linalg.norm(kernel)
    update = np.asarray(ours.update(gradient, ours.init(kernel), kernel)[0])
    along = np.asarray(kernel) / np.linalg.norm(kernel)
    wanted = expected - (expected * along).sum() * along
    cosine = -(update * wanted).sum() / np.linalg.norm(update) / np.linalg.norm(wanted)
    assert cosine == pytest.approx(1, abs=1e-5)


def test_orthogonalising_equals_optax():
    matrix = normal(4, 45, 7)
    theirs = scale_by_muon(weight_dimension_numbers=MuonDimensionNumbers(), nesterov=False)
    expected = theirs.update(matrix, theirs.init(matrix))[0]
    np.testing.assert_allclose(orthogonalize(matrix), expected, atol=1e-5)


def test_a_kernel_keeps_its_length_and_an_update_of_rate_one_is_as_long():
    kernel = 5 * normal(5, 3, 3, 4, 6)
    optimizer = muon(1.0, momentum=0.9)
    state = optimizer.init(kernel)
    for seed in range(3):
        update, state = optimizer.update(normal(seed, 3, 3, 4, 6), state, kernel)
        before, kernel = kernel, optax.apply_updates(kernel, update)
        assert float(jnp.linalg.norm(kernel)) == pytest.approx(np.sqrt(6), rel=1e-5)
        assert not np.allclose(before, kernel, atol=0.1)
