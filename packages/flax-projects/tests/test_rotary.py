"""Rotary positions, by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from flax_projects.rotary import rotate


def test_products_depend_on_the_distance_of_two_places_alone():
    one, other = jax.random.normal(jax.random.key(0), (2, 8))
    places = jnp.arange(20)
    repeated = [rotate(jnp.broadcast_to(vector, (1, 20, 1, 8)), places, base=100.0)[0, :, 0] for vector in (one, other)]
    products = np.asarray(repeated[0] @ repeated[1].T)
    for distance in range(-19, 20):
        diagonal = np.diagonal(products, distance)
        np.testing.assert_allclose(diagonal, diagonal[0], rtol=1e-4, atol=1e-5)
    assert np.ptp(products[0]) > 0.1
    np.testing.assert_allclose(np.linalg.norm(repeated[0], axis=-1), np.linalg.norm(one), rtol=1e-5)


def test_a_rotation_by_hand():
    vectors = jnp.array([1.0, 0.0, 0.0, 0.0]).reshape(1, 1, 1, 4)
    places = jnp.array([0, 1, 5])
    turned = rotate(jnp.tile(vectors, (1, 3, 1, 1)), places, base=100.0)[0, :, 0]
    np.testing.assert_allclose(turned, [[np.cos(p), 0, np.sin(p), 0] for p in (0, 1, 5)], atol=1e-6)

    slow = jnp.array([0.0, 1.0, 0.0, 0.0]).reshape(1, 1, 1, 4)  # the second pair turns by 1 / sqrt(100) a place
    turned = rotate(slow, jnp.array([5]), base=100.0)[0, :, 0]
    np.testing.assert_allclose(turned, [[0, np.cos(0.5), 0, np.sin(0.5)]], atol=1e-6)
