"""Enlarging, cropping, mirroring and erasing by matrices, against torch's resizing and positions worked out by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dl_shared.data.picture_backbones import Preparation
from xla_projects.cifar10.augment import Pipeline, draw_views, whole_pictures
from xla_projects.cifar10.config import Config
from xla_projects.device import fetch, start_device


@pytest.fixture(scope="module")
def seen():
    """What the network sees of pictures, pixels from 0 to 255."""
    device = start_device(Config())

    def inputs(images, views, size):
        preparation = Preparation(size, (0.0, 0.0, 0.0), (1 / 255,) * 3)
        step = device.compiled(Pipeline(preparation, images.shape[1], device).inputs)
        return torch.from_numpy(fetch(step(device.put(images), device.put(views))))

    return inputs


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, size=(6, 32, 32, 3)).astype(np.uint8)


def as_floats(images):
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


def drawn(draws, size=32, seed=0, **options):
    return draw_views(Config(seed=seed, **options), np.asarray(draws), 32, size)


@pytest.mark.parametrize("size", [32, 80])
def test_enlarging_is_bilinear_interpolation(seen, images, size):
    expected = F.interpolate(as_floats(images), size=(size, size), mode="bilinear")
    torch.testing.assert_close(seen(images, whole_pictures(6, 32, size), size), expected, atol=1e-2, rtol=0)


def test_the_means_are_subtracted_before_the_deviations_divide(images):
    device = start_device(Config())
    pipeline = Pipeline(Preparation(32, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), 32, device)
    inputs = fetch(device.compiled(pipeline.inputs)(device.put(images), device.put(whole_pictures(6, 32, 32))))
    expected = (images[2, 4, 5] / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.3, 0.4]
    np.testing.assert_allclose(inputs[2, :, 4, 5], expected, atol=1e-4)


def test_a_crop_is_the_enlarged_part(seen, images):
    """Rows 8 to 24 and columns 4 to 20, twice as large: start and step by hand."""
    views = np.tile(np.array([8 - 0.25, 0.5, 4 - 0.25, 0.5, 0, 0, 0, 0], np.float32), (6, 1))
    found = seen(images, views, 32)
    expected = F.interpolate(as_floats(images[:, 8:24, 4:20]), size=(32, 32), mode="bilinear")
    torch.testing.assert_close(found[:, :, 1:-1, 1:-1], expected[:, :, 1:-1, 1:-1], atol=1e-2, rtol=0)


def test_crops_stay_within_the_picture_and_are_no_smaller_than_asked_for():
    views = drawn(range(500), size=48, augment=("crop",), smallest_crop=0.5)
    for start, step in ((views[:, 0], views[:, 1]), (views[:, 2], views[:, 3])):
        first, length = start + 0.5 - step / 2, 48 * step
        assert first.min() > -1e-4
        assert (first + length).max() < 32 + 1e-4
        assert 16 <= length.min() < 16.5
        assert 31.5 < length.max() <= 32
    assert not np.allclose(views[:, 1], views[:, 3]), "height and width vary on their own"


def test_flip_mirrors_about_half_of_the_pictures_and_nothing_else(seen, images):
    views = drawn(range(300), augment=("flip",))
    mirrored = views[:, 3] < 0
    assert 120 < mirrored.sum() < 180
    np.testing.assert_allclose(views[~mirrored, :4], [[0, 1, 0, 1]] * (~mirrored).sum())
    chosen = views[mirrored][:6]
    torch.testing.assert_close(seen(images, chosen, 32), as_floats(images).flip(3), atol=1e-2, rtol=0)


def test_erase_sets_a_rectangle_to_the_mean_colour(seen):
    white = np.full((200, 32, 32, 3), 255, np.uint8)
    erased = seen(white, drawn(range(200), augment=("erase",), erase=0.5), 32)[:, 0] == 0
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.sum((1, 2)), rows * columns), "a rectangle"
    assert rows.max() <= 16
    assert columns.max() <= 16
    assert erased.any(2).any(1).float().mean() > 0.8


def test_what_is_done_depends_on_seed_and_draw_alone():
    draws = np.array([5, 123456789, 7, 8])
    whole = drawn(draws, augment=("crop", "flip", "erase"))
    np.testing.assert_array_equal(drawn(draws[1:2], augment=("crop", "flip", "erase")), whole[1:2])
    assert not np.allclose(drawn(draws + 6, augment=("crop", "flip", "erase")), whole)
    assert not np.allclose(drawn(draws, seed=1, augment=("crop", "flip", "erase")), whole)


def test_without_augmentation_the_whole_picture_is_seen():
    views = drawn(range(5), size=48, augment=())
    np.testing.assert_allclose(views[:, :4], whole_pictures(5, 32, 48)[:, :4])
    np.testing.assert_array_equal(views[:, 4], views[:, 5], err_msg="nothing lies between the edges")
