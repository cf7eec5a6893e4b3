"""Batches: what they hold, their order, and what each process gets of them."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from stocks_tools import small, write_prices

from dl_shared.errors import InputError
from dl_shared.tasks.stocks import load_data
from lightning_projects.stocks.data import (
    EvaluationLoader,
    StocksData,
    TrainLoader,
    trainable_ends,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_prices(tmp_path_factory.mktemp("prices"))


@pytest.fixture(scope="module")
def data(folder):
    return load_data(small(folder))


@pytest.fixture(scope="module")
def series(folder, data):
    return StocksData(small(folder), data).series("train", CPU)


def loader(series, data, **options):
    return TrainLoader(series, trainable_ends(data.train), small("", stride=2), **options)


def shown(batches):
    """Copies of the inputs, by which batches can be compared."""
    return [batch.inputs.clone() for batch in batches]


def test_a_batch_holds_windows_and_the_targets_of_all_their_days(series, data):
    scale = np.sqrt(((data.train.targets / data.volatility("train")[:, None]) ** 2).mean(axis=0))
    ends = trainable_ends(data.train)
    rows = [0, 50, len(ends) - 1]
    batch = series.train_batch(torch.from_numpy(ends[rows]))
    for row, inputs, targets in zip(rows, batch.inputs, batch.targets, strict=True):
        window = int(np.flatnonzero(data.train.ends == ends[row])[0])
        np.testing.assert_array_equal(inputs, data.train.inputs[window])
        ids = data.train.ticker_ids[window - 11 : window + 1]
        assert (ids == ids[-1]).all()
        days = slice(window - 11, window + 1)
        expected = data.train.targets[days] / data.volatility("train")[days, None] / scale
        np.testing.assert_allclose(targets, expected, rtol=1e-5)


def test_every_target_is_in_some_window(data):
    rows = trainable_ends(data.train)[:, None] + np.arange(-11, 1)
    assert set(rows.ravel()) == set(data.train.ends)


def test_an_epoch_takes_a_share_of_the_windows_and_the_next_one_others(series, data):
    batches = loader(series, data)
    first, second = shown(batches), shown(batches)
    assert len(first) == len(batches) == len(batches.ends) // 32
    assert not torch.equal(first[0], second[0])
    ends = torch.cat(first)[:, -1]
    assert len(torch.unique(ends, dim=0)) == len(ends), "no window twice"


@pytest.mark.parametrize("taken", [0, 3, 27, 40])
def test_a_loader_goes_on_after_the_batches_it_had_handed_out(series, data, taken):
    def batches(loader):
        while True:
            yield from loader

    loaders = [loader(series, data) for _ in range(3)]
    whole, before, after = map(batches, loaders)
    for _ in range(taken):
        next(whole), next(before)
    loaders[2].load_state_dict(loaders[1].state_dict())
    for expected, batch in zip(shown(next(whole) for _ in range(6)), shown(next(after) for _ in range(6)), strict=True):
        assert torch.equal(expected, batch)


def test_processes_share_each_batch(series, data):
    whole = shown(loader(series, data))
    shares = [shown(loader(series, data, rank=rank, world_size=2)) for rank in range(2)]
    for batch, one, other in zip(whole, *shares, strict=True):
        assert torch.equal(batch, torch.cat([one, other]))


@pytest.mark.parametrize(("n", "world_size"), [(37, 1), (37, 3), (1100, 2)])
def test_all_windows_are_validated_in_equally_many_batches_by_each_process(series, data, n, world_size):
    ends = data.train.ends[np.arange(n) % len(data.train)]
    loaders = [EvaluationLoader(series, ends, rank=rank, world_size=world_size) for rank in range(world_size)]
    seen = [[float(value) for batch in loader for value in batch.targets[:, 0]] for loader in loaders]
    expected = series.targets[torch.from_numpy(ends), 0]
    assert sorted(itertools.chain(*seen)) == sorted(expected.tolist())
    assert len({len(list(loader)) for loader in loaders}) == 1


def test_validation_windows_have_the_targets_of_their_last_day(folder, data):
    datamodule = StocksData(small(folder), data)
    batch = next(iter(EvaluationLoader(datamodule.series("validation", CPU), data.validation.ends)))
    np.testing.assert_array_equal(batch.inputs, data.validation.inputs[: len(batch.inputs)])
    scale = data.volatility("validation")[:, None] * datamodule.outputs.target_scale
    expected = data.validation.targets / scale
    np.testing.assert_allclose(batch.targets, expected[: len(batch.targets)], rtol=1e-5)


def test_a_batch_that_processes_cannot_share(folder, data):
    datamodule = StocksData(small(folder), data)
    datamodule.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=CPU), global_rank=0, world_size=3)
    with pytest.raises(InputError, match="batches of 16 cannot be split over 3 processes; change --batch-size"):
        datamodule.train_dataloader()


def test_a_stride_that_leaves_no_batch(folder, data):
    with pytest.raises(InputError, match="use a smaller --batch-size, --stride or --lookback"):
        StocksData(small(folder, stride=10_000), data)
