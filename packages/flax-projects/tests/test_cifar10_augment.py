"""Crop, flip and cutout against positions worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from dl_shared.tasks.cifar10_config import MEAN, STD
from flax_projects.cifar10.augment import augment, cut_out, normalize, scale_down, shift


def numbered(n=1, side=4):
    """Images whose pixel at row r, column c is 10 r + c, in all channels."""
    pixels = 10 * np.arange(side)[:, None] + np.arange(side)
    return jnp.asarray(np.broadcast_to(pixels[None, :, :, None], (n, side, side, 3)), jnp.uint8)


def test_a_shift_moves_each_image_by_its_own_corner_and_reflects_at_the_edges():
    images = numbered(3)
    shifted = shift(images, jnp.array([[2, 2], [0, 2], [2, 3]]), 2)[..., 0]
    np.testing.assert_array_equal(shifted[0], images[0, ..., 0])
    # Two rows down: rows 2 and 1 reflected at the upper edge, then rows 0 and 1.
    np.testing.assert_array_equal(shifted[1][:, 0], [20, 10, 0, 10])
    # One column to the left: the last column is column 2 reflected.
    np.testing.assert_array_equal(shifted[2][0], [1, 2, 3, 2])


def test_the_hole_lies_where_it_was_asked_for_and_ends_at_the_edge():
    inputs = jnp.ones((2, 6, 6, 3))
    holed = cut_out(inputs, jnp.array([[2, 3], [0, 5]]), 3)
    expected = np.ones((2, 6, 6, 3))
    expected[0, 1:4, 2:5] = 0
    expected[1, 0:2, 4:6] = 0
    np.testing.assert_array_equal(holed, expected)


def test_an_even_hole_starts_half_its_side_before_the_centre():
    holed = cut_out(jnp.ones((1, 6, 6, 1)), jnp.array([[3, 3]]), 4)
    np.testing.assert_array_equal(np.flatnonzero(holed[0, 3, :, 0] == 0), [1, 2, 3, 4])


def test_only_the_images_asked_for_are_mirrored():
    images = numbered(2)
    outputs = augment(jax.random.key(0), images, jnp.array([False, True]), crop=0, cutout=0)
    np.testing.assert_array_equal(outputs[0], normalize(images)[0])
    np.testing.assert_array_equal(outputs[1], normalize(images)[1, :, ::-1])


def test_crop_shows_every_shift_and_no_other():
    images = jnp.broadcast_to(numbered(1, side=8), (400, 8, 8, 3))
    outputs = augment(jax.random.key(1), images, jnp.zeros(400, bool), crop=1, cutout=0)
    padded = np.pad(np.asarray(numbered(1, side=8))[0], ((1, 1), (1, 1), (0, 0)), mode="reflect")
    windows = [
        np.asarray(normalize(jnp.asarray(padded[None, r : r + 8, c : c + 8])))[0] for r in range(3) for c in range(3)
    ]
    seen = [next(i for i, window in enumerate(windows) if np.array_equal(output, window)) for output in outputs]
    assert set(seen) == set(range(9))


def test_cutout_covers_the_same_number_of_pixels_wherever_it_fits():
    outputs = augment(
        jax.random.key(2), jnp.full((64, 32, 32, 3), 255, jnp.uint8), jnp.zeros(64, bool), crop=0, cutout=8
    )
    covered = (np.asarray(outputs)[..., 0] == 0).sum((1, 2))
    assert covered.max() == 64
    assert covered.min() >= 16  # a corner keeps a quarter at least


def test_a_smaller_image_shows_the_same_at_half_the_detail():
    ramp = jnp.broadcast_to(jnp.arange(8.0)[None, :, None, None], (2, 8, 8, 3))
    half = scale_down(ramp, 4)
    assert half.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(half[0, 1:-1, 2, 0], [2.5, 4.5], rtol=1e-5)  # between rows 2 and 3, 4 and 5
    np.testing.assert_allclose(half.mean(), ramp.mean(), rtol=1e-5)


def test_normalised_pixels_by_hand():
    outputs = normalize(jnp.array([[[[0, 51, 255]]]], jnp.uint8))
    expected = [(0 - MEAN[0]) / STD[0], (0.2 - MEAN[1]) / STD[1], (1 - MEAN[2]) / STD[2]]
    np.testing.assert_allclose(outputs.ravel(), expected, rtol=1e-6)
