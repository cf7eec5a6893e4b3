"""The network: two kinds of layers behind one interface, causal, beginning with persistence; windows on the device."""

import numpy as np
import pytest
import torch
import torch_xla
from stocks_tools import small, write_prices
from torch import nn

from dl_shared.data.draws import Draws
from dl_shared.data.indicators import FEATURES
from dl_shared.tasks.stocks_config import GROUPS, LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from xla_projects.device import fetch, start_device
from xla_projects.stocks.config import INDICATORS, PRESETS, Config
from xla_projects.stocks.data import TrainWindows, load_data
from xla_projects.stocks.model import CELLS, GATES, REMEMBERS, Forecaster
from xla_projects.stocks.predict import Predictor
from xla_projects.stocks.train import batch_rows, make_optimizer, make_train_step, scores

DAYS, INPUTS = 9, 4


def network(cell, **options):
    torch.manual_seed(0)
    model = Forecaster(small("sample", cell=cell, **options), features=INPUTS)
    nn.init.normal_(model.heads.weight)  # zeros would hide what is below
    return model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load_data(small(write_prices(tmp_path_factory.mktemp("prices"))))


@pytest.fixture(scope="module")
def device():
    return start_device(small("sample"))


def test_the_groups_hold_every_kind_of_feature_asked_for_and_no_unknown_column():
    columns = [column for group in GROUPS.values() for column in group]
    assert len(set(columns)) == len(columns)
    assert set(columns) <= set(FEATURES)
    assert set(INDICATORS) < set(GROUPS)
    assert next(iter(PRESETS)) == "cpu"


@pytest.mark.parametrize("cell", CELLS)
def test_every_network_begins_with_persistence(cell):
    model = Forecaster(small("sample", cell=cell), features=INPUTS)
    assert not model(torch.randn(DAYS, 2, INPUTS)).any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_forecast_depends_on_the_days_up_to_it_alone_and_the_last_one_is_used(cell):
    model = network(cell).eval()
    windows = torch.randn(DAYS, 3, INPUTS)
    changed = torch.cat([windows[:5], torch.randn(DAYS - 5, 3, INPUTS)])
    before, after = model(windows), model(changed)
    torch.testing.assert_close(before[:5], after[:5], rtol=0, atol=0)
    assert (before[5:] != after[5:]).all()
    torch.testing.assert_close(model.forecast(windows), before[-1])


@pytest.mark.parametrize("cell", CELLS)
def test_the_gate_that_is_said_to_remember_does(cell):
    kept = {}
    for bias in (0.0, 10.0):
        model = network(cell, layers=1)
        for param in model.recurrent.parameters():
            nn.init.zeros_(param)
        model.recurrent.bias_ih_l0.data.chunk(GATES[cell])[REMEMBERS].fill_(bias)
        start = torch.full((1, 1, 8), 0.9)
        state = (torch.zeros_like(start), start) if cell == "lstm" else start
        _, last = model.recurrent(torch.zeros(40, 1, INPUTS), state)
        kept[bias] = (last[1] if cell == "lstm" else last).abs().mean().item()
    assert kept[10.0] > 0.8 > 0.5 > kept[0.0]


def test_windows_on_the_device_are_those_of_the_task_with_a_target_for_every_day(data, device):
    outputs = Outputs.of(data, LEVELS)
    windows = TrainWindows(data, outputs, device)
    chosen = windows.ends[[0, 5, len(windows) - 1]]
    inputs, known = (fetch(tensor) for tensor in device.compiled(windows.gather)(device.put(chosen)))
    row = {int(end): number for number, end in enumerate(data.train.ends)}
    targets = outputs.from_returns(data.train.targets, data.volatility("train"))
    for number, last in enumerate(chosen):
        np.testing.assert_array_equal(inputs[:, number], data.train.inputs[row[int(last)]])
        expected = [targets[row[day]] for day in range(int(last) - 11, int(last) + 1)]
        np.testing.assert_allclose(known[:, number], expected, rtol=1e-6)


def test_the_last_batch_is_padded_and_what_is_padded_left_out(data, device):
    model = device.to(Forecaster(small("sample"), features=len(data.features)))
    nn.init.normal_(model.heads.weight.data)
    windows, predictor = data.validation, Predictor(model, device)
    whole = predictor(windows.series, windows.ends, windows.lookback)
    assert len(whole) == len(windows) < predictor.at_once
    host = Forecaster(small("sample"), features=len(data.features)).eval()
    host.load_state_dict({name: tensor.cpu() for name, tensor in model.state_dict().items()})
    with torch.no_grad():
        expected = host.forecast(torch.from_numpy(windows.inputs).transpose(0, 1))
    np.testing.assert_allclose(whole, expected, atol=1e-5)


def test_one_batch_can_be_learned_by_heart_and_every_parameter_learns(data, device):
    """Dropout off: the mean absolute error of all days of a few windows falls to a fraction of persistence's."""
    config = small("sample", dropout=0.0, hidden=32, layers=1, weight_decay=0.0)
    windows = TrainWindows(data, Outputs.of(data, LEVELS), device)
    torch.manual_seed(0)
    model = device.to(Forecaster(config, features=len(data.features)))
    before = {name: fetch(param) for name, param in model.named_parameters()}
    step = make_train_step(model, make_optimizer(device, config, model), windows, device, clip=1.0)
    ends, rates = device.put(windows.ends[:4]), device.put(np.full(2, 0.02, np.float32))
    for _ in range(120):
        sums = step(device.put(np.zeros(3, np.float32)), rates, ends)
    learned = fetch(sums).tolist()
    assert scores(*learned)["skill"] > 0.5
    assert learned[2] == 4
    assert all((fetch(param) != before[name]).any() for name, param in model.named_parameters())


def test_the_epochs_between_two_passes_go_through_all_windows():
    draws = Draws(rows=100, batch_size=8, seed=0)
    first, second = ([batch_rows(draws, 12 * number + step) for step in range(12)] for number in (0, 1))
    assert len(np.unique(first)) == len(np.unique(second)) == 96
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": ("returns", "alpha")}, "features"),
        ({"features": ()}, "features"),
        ({"features": ("returns", "returns")}, "features"),
        ({"hidden": 0}, "hidden"),
        ({"dropout": 1.0}, "dropout"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"lookback": 0}, "lookback"),
        ({"batch_size": 15, "devices": 2}, "batch_size"),
    ],
)
def test_a_config_that_cannot_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Config(**options)


def test_the_scan_is_what_a_run_computes_with():
    """In the program of the network there is a loop, and it is as long for 8 days as for 64."""
    model = network("lstm").eval().to("xla")
    programs = [
        torch_xla._XLAC._get_xla_tensors_hlo([model(torch.randn(days, 2, INPUTS).to("xla"))]) for days in (8, 64)
    ]
    assert "while(" in programs[0]
    assert len(programs[0].splitlines()) == len(programs[1].splitlines())
