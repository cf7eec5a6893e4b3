"""Augmentation against positions worked out by hand; the loader's order, share and memory."""

import itertools

import numpy as np
import pytest
import torch

from dl_shared.data.image_sets import Split
from dl_shared.tasks.cifar10_config import MEAN, STD
from lightning_projects.cifar10.augment import cut_out, shift_and_mirror
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import EvaluationLoader, TrainLoader
from lightning_projects.cifar10.model import normalize

CPU = torch.device("cpu")
NO, YES = torch.tensor([False]), torch.tensor([True])


def numbered(side=4):
    """An image whose pixel at row r, column c is 10 r + c, in all channels."""
    pixels = 10 * torch.arange(side)[:, None] + torch.arange(side)
    return pixels.to(torch.uint8)[None, :, :, None].expand(1, side, side, 3).contiguous()


def first_channel(images):
    return images[0, :, :, 0].tolist()


def test_a_shift_by_hand_reflects_at_the_edges():
    assert torch.equal(shift_and_mirror(numbered(), torch.tensor([[0, 0]]), NO), numbered())
    down = first_channel(shift_and_mirror(numbered(), torch.tensor([[2, 0]]), NO))
    assert [row[0] for row in down] == [20, 30, 20, 10]
    left = first_channel(shift_and_mirror(numbered(), torch.tensor([[0, -1]]), NO))
    assert left[0] == [1, 0, 1, 2]


def test_the_window_is_mirrored_after_it_is_moved():
    assert first_channel(shift_and_mirror(numbered(), torch.tensor([[0, 1]]), YES))[0] == [2, 3, 2, 1]


def test_each_image_has_its_own_shift():
    images = numbered().repeat(2, 1, 1, 1)
    shifted = shift_and_mirror(images, torch.tensor([[0, 0], [1, 1]]), torch.tensor([True, False]))
    assert shifted[0, 0, :, 0].tolist() == [3, 2, 1, 0]
    assert shifted[1, 0, :, 0].tolist() == [11, 12, 13, 12]


def test_the_hole_lies_where_it_was_asked_for_and_ends_at_the_edge():
    holed = cut_out(torch.ones(2, 3, 6, 6), torch.tensor([[2, 3], [0, 5]]), 3)
    expected = torch.ones(2, 3, 6, 6)
    expected[0, :, 1:4, 2:5] = 0
    expected[1, :, 0:2, 4:6] = 0
    assert torch.equal(holed, expected)


def test_normalised_pixels_by_hand_in_channels_last():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(2, 4, 4, 3).contiguous()
    inputs = normalize(images)
    expected = [(0 - MEAN[0]) / STD[0], (0.2 - MEAN[1]) / STD[1], (1 - MEAN[2]) / STD[2]]
    torch.testing.assert_close(inputs[1, :, 3, 0], torch.tensor(expected))
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def few(n=40):
    images = np.zeros((n, 32, 32, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(n)
    return Split(images, np.arange(n) % 10)


CONFIG = Config(data="", batch_size=8, crop=2)


def shown(batches):
    """What a series of batches holds: the images' numbers, and what is done to each."""
    return [
        torch.cat([part.reshape(len(part), -1).long() for part in (b.images[:, 0, 0, :1], *b[1:])], dim=1)
        for b in batches
    ]


def test_an_epoch_has_every_image_once_and_the_next_one_another_order():
    loader = TrainLoader(few(), CONFIG, CPU)
    first, second = shown(loader), shown(loader)
    assert sorted(torch.cat(first)[:, 0].tolist()) == list(range(40))
    assert torch.cat(first)[:, 0].tolist() != torch.cat(second)[:, 0].tolist()


def test_every_image_is_mirrored_in_every_other_epoch():
    loader = TrainLoader(few(), CONFIG, CPU)
    first, second = (
        {int(i): bool(m) for b in loader for i, m in zip(b.images[:, 0, 0, 0], b.mirrored, strict=True)}
        for _ in range(2)
    )
    assert all(first[i] != second[i] for i in range(40))
    assert 5 < sum(first.values()) < 35
    unflipped = TrainLoader(few(), Config(data="", batch_size=8, flip=False), CPU)
    assert not any(b.mirrored.any() for b in unflipped)


@pytest.mark.parametrize("taken", [0, 3, 5, 7])
def test_a_loader_goes_on_after_the_batches_it_had_handed_out(taken):
    def batches(loader):
        while True:
            yield from loader

    loaders = [TrainLoader(few(), CONFIG, CPU) for _ in range(3)]
    whole, before, after = map(batches, loaders)
    for _ in range(taken):
        next(whole), next(before)
    loaders[2].load_state_dict(loaders[1].state_dict())
    for expected, batch in zip(shown(next(whole) for _ in range(6)), shown(next(after) for _ in range(6)), strict=True):
        assert torch.equal(expected, batch)


def test_processes_share_each_batch():
    whole = shown(TrainLoader(few(), CONFIG, CPU))
    shares = [shown(TrainLoader(few(), CONFIG, CPU, rank=rank, world_size=2)) for rank in range(2)]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert torch.equal(batch, torch.cat([one, other]))


@pytest.mark.parametrize(("n", "batch_size", "world_size"), [(37, 8, 1), (37, 8, 3), (40, 64, 2)])
def test_all_images_are_validated_in_equally_many_batches_by_each_process(n, batch_size, world_size):
    loaders = [
        EvaluationLoader(few(n), batch_size, CPU, rank=rank, world_size=world_size) for rank in range(world_size)
    ]
    seen = [[int(i) for batch in loader for i in batch.images[:, 0, 0, 0]] for loader in loaders]
    assert sorted(itertools.chain(*seen)) == list(range(n))
    assert len({len(list(loader)) for loader in loaders}) == 1
    assert all(len(batch.labels) for loader in loaders for batch in loader)
