"""Enlarging, cropping, mirroring and erasing by matrices, against torch's resizing and positions worked out by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from accelerate_projects.cifar10.augment import Pipeline, crop_weights, interval_mask
from accelerate_projects.cifar10.config import Config
from dl_shared.data.draws import uniforms
from dl_shared.data.picture_backbones import Preparation

CPU = torch.device("cpu")
AS_THEY_ARE = Preparation(32, (0.0, 0.0, 0.0), (1 / 255,) * 3)  # pixels from 0 to 255


def pipeline(*augment, size=32, **options):
    preparation = Preparation(size, AS_THEY_ARE.mean, AS_THEY_ARE.std)
    return Pipeline(preparation, Config(augment=augment, **options), CPU)


@pytest.fixture
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, size=(6, 32, 32, 3)).astype(np.uint8))


@pytest.mark.parametrize("size", [32, 64, 80])
def test_enlarging_is_bilinear_interpolation(images, size):
    found = pipeline(size=size).plain(images)
    expected = F.interpolate(images.permute(0, 3, 1, 2).float(), size=(size, size), mode="bilinear")
    torch.testing.assert_close(found, expected, atol=1e-2, rtol=0)


def test_inputs_are_normalised_and_in_channels_last(images):
    inputs = Pipeline(Preparation(32, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)), Config(), CPU).plain(images)
    expected = (images[2, 4, 5] / 255 - torch.tensor([0.5, 0.4, 0.3])) / torch.tensor([0.2, 0.3, 0.4])
    torch.testing.assert_close(inputs[2, :, 4, 5], expected, atol=1e-4, rtol=0)
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_a_window_by_hand():
    """Half of four pixels as two: at the beginning pixels 0 and 1, at the end 2 and 3."""
    found = crop_weights(torch.zeros(2), torch.tensor([0.0, 1.0]), 0.5, 4, 2)
    assert found.tolist() == [[[1, 0, 0, 0], [0, 1, 0, 0]], [[0, 0, 1, 0], [0, 0, 0, 1]]]


def test_an_interval_by_hand():
    found = interval_mask(torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.0, 1.0, 0.5]), 0.5, 8)
    assert found.tolist() == [[1, 1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1], [0] * 8]


def test_weights_of_every_window_sum_to_one():
    chance = torch.from_numpy(uniforms(0, np.arange(50), 2))
    weights = crop_weights(chance[0], chance[1], 0.3, 32, 64)
    torch.testing.assert_close(weights.sum(2), torch.ones(50, 64))


def test_flip_mirrors_about_half_of_the_pictures_and_nothing_else(images):
    draws = torch.arange(300)
    flipped = pipeline("flip").augmented(images[:1].expand(300, -1, -1, -1), draws)
    plain = pipeline().plain(images[:1])[0]
    mirrored = (flipped - plain.flip(2)).abs().amax((1, 2, 3)) < 1e-2
    assert 120 < mirrored.sum() < 180
    torch.testing.assert_close(flipped[~mirrored], plain.expand((~mirrored).sum(), -1, -1, -1), atol=1e-2, rtol=0)


def test_erase_sets_a_rectangle_to_the_mean_colour(images):
    white = torch.full((200, 32, 32, 3), 255, dtype=torch.uint8)
    inputs = pipeline("erase", erase=0.5).augmented(white, torch.arange(200))
    erased = inputs[:, 0] == 0
    rows, columns = erased.any(2).sum(1), erased.any(1).sum(1)
    assert torch.equal(erased.sum((1, 2)), rows * columns), "a rectangle"
    assert rows.max() <= 16
    assert columns.max() <= 16
    assert erased.any((1, 2)).float().mean() > 0.8


def test_what_is_done_depends_on_seed_and_draw_alone(images):
    everything = pipeline("crop", "flip", "erase", size=48)
    draws = torch.tensor([5, 123456789, 7, 8, 9, 10])
    whole = everything.augmented(images, draws)
    torch.testing.assert_close(everything.augmented(images[1:2], draws[1:2]), whole[1:2])
    assert not torch.allclose(everything.augmented(images, draws + 6), whole)
    assert not torch.allclose(pipeline("crop", "flip", "erase", size=48, seed=1).augmented(images, draws), whole)
