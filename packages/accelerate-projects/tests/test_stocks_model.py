"""The network: three kinds of layers behind one interface, causal, beginning with persistence; inputs and windows."""

import numpy as np
import pytest
import torch
from stocks_tools import small, write_headlines, write_prices
from torch import nn

from accelerate_projects.stocks.config import GROUPS, PRESETS
from accelerate_projects.stocks.data import TrainWindows, load_data
from accelerate_projects.stocks.model import GATES, REMEMBERS, Forecaster
from dl_shared.data.indicators import FEATURES
from dl_shared.sample.headlines import NEWS
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs

CELLS = list(GATES)
DAYS, INPUTS = 9, 4


def network(cell, **options):
    torch.manual_seed(0)
    model = Forecaster(small("sample", cell=cell, **options), features=INPUTS)
    nn.init.normal_(model.heads.weight)  # zeros would hide what is below
    return model


def test_the_groups_hold_every_kind_of_feature_asked_for_and_no_unknown_column():
    columns = [column for group in GROUPS.values() for column in group]
    assert len(set(columns)) == len(columns)
    assert set(columns) <= set(FEATURES)
    assert {"averages", "volatility", "rsi", "macd", "volume", "calendar", "news"} <= set(GROUPS)
    assert next(iter(PRESETS)) == "cpu"
    assert PRESETS["cpu"].sample_news == NEWS


@pytest.mark.parametrize("cell", CELLS)
def test_every_network_begins_with_persistence(cell):
    model = Forecaster(small("sample", cell=cell), features=INPUTS)
    assert not model(torch.randn(2, DAYS, INPUTS)).any()


@pytest.mark.parametrize("cell", CELLS)
def test_a_forecast_depends_on_the_days_up_to_it_alone_and_the_last_one_is_used(cell):
    model = network(cell).eval()
    windows = torch.randn(3, DAYS, INPUTS)
    changed = torch.cat([windows[:, :5], torch.randn(3, DAYS - 5, INPUTS)], dim=1)
    before, after = model(windows), model(changed)
    torch.testing.assert_close(before[:, :5], after[:, :5], rtol=0, atol=0)
    assert (before[:, 5:] != after[:, 5:]).all()
    torch.testing.assert_close(model.forecast(windows), before[:, -1])


def test_an_elman_layer_by_hand():
    model = network("rnn", layers=1, hidden=1, dropout=0.0)
    values = {"weight_ih_l0": [[0.5, 0, 0, 0]], "weight_hh_l0": [[2.0]], "bias_ih_l0": [0.1], "bias_hh_l0": [0.0]}
    for name, value in values.items():
        getattr(model.recurrent, name).data = torch.tensor(value)
    model.heads.weight.data, model.heads.bias.data = torch.ones(3, 1), torch.tensor([0.0, 1.0, 2.0])
    first = np.tanh(0.5 * 3 + 0.1)
    second = np.tanh(0.5 * -1 + 2 * first + 0.1)
    windows = torch.tensor([[[3.0, 9, 9, 9], [-1.0, 9, 9, 9]]])
    expected = torch.tensor([[[first + head for head in range(3)], [second + head for head in range(3)]]])
    torch.testing.assert_close(model(windows), expected, check_dtype=False)


@pytest.mark.parametrize("cell", CELLS)
def test_gates_begin_orthogonal_and_remembering(cell):
    model = network(cell)
    for layer in range(2):
        for gate in getattr(model.recurrent, f"weight_hh_l{layer}").chunk(GATES[cell]):
            torch.testing.assert_close(gate @ gate.T, torch.eye(8), atol=1e-5, rtol=0)
        biases = getattr(model.recurrent, f"bias_ih_l{layer}").chunk(GATES[cell])
        assert [bool(bias.any()) for bias in biases] == [i == REMEMBERS.get(cell) for i in range(GATES[cell])]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_gate_with_the_bias_is_the_one_that_remembers(cell):
    """With that gate wide open, a state set on the first day is there, nearly whole, on the last."""
    model = network(cell, layers=1, dropout=0.0)
    kept = {}
    for bias in (0.0, 10.0):
        model.recurrent.bias_ih_l0.data.chunk(GATES[cell])[REMEMBERS[cell]].fill_(bias)
        start = torch.full((1, 1, 8), 0.9)
        state = (torch.zeros_like(start), start) if cell == "lstm" else start
        _, last = model.recurrent(torch.zeros(1, 40, INPUTS), state)
        kept[bias] = (last[1] if cell == "lstm" else last).abs().mean().item()
    assert kept[10.0] > 0.8 > 0.5 > kept[0.0]


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_learns_and_one_batch_can_be_learned_by_heart(cell):
    model = network(cell, dropout=0.0, hidden=32)
    inputs, targets = torch.randn(8, DAYS, INPUTS), torch.randn(8, DAYS, 3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.03, weight_decay=0.0)
    for _ in range(150):
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        assert all(param.grad is not None and param.grad.any() for param in model.parameters())
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1


def test_dropout_works_between_layers_and_before_the_heads_in_training_only():
    model, windows = network("gru"), torch.randn(2, DAYS, INPUTS)
    assert not torch.equal(model(windows), model(windows))
    model.eval()
    assert torch.equal(model(windows), model(windows))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prices")
    return folder, load_data(small(write_prices(folder), headlines=str(write_headlines(folder.parent / "news.csv"))))


def test_windows_on_the_device_are_those_of_the_task_with_a_target_for_every_day(prepared):
    _, data = prepared
    assert data.features[-2:] == ("news", "tone")
    outputs = Outputs.of(data, LEVELS)
    windows = TrainWindows(data, outputs, torch.device("cpu"))
    chosen = [0, 5, len(windows) - 1]
    batch = windows.__getitems__(chosen)
    row = {int(end): number for number, end in enumerate(data.train.ends)}
    targets = outputs.from_returns(data.train.targets, data.volatility("train"))
    for number, place in enumerate(chosen):
        last = int(windows.ends[place])
        np.testing.assert_array_equal(batch.inputs[number], data.train.inputs[row[last]])
        expected = [targets[row[day]] for day in range(last - 11, last + 1)]
        np.testing.assert_allclose(batch.targets[number], expected, rtol=1e-6)


def test_no_price_and_no_headline_of_a_later_day_moves_an_input(prepared, tmp_path):
    """The whole way from files to windows: the last 60 days' prices tripled, and all later headlines replaced."""
    folder, data = prepared
    import pandas as pd

    days = sorted(pd.read_csv(folder / "S00.csv")["Date"])
    cut = days[-60]
    for file in folder.glob("S*.csv"):
        table = pd.read_csv(file)
        later = table["Date"] >= cut
        table.loc[later, ["open", "high", "low", "close", "Adj Close"]] *= 3
        table.loc[later, "volume"] += 999
        table.to_csv(tmp_path / file.name, index=False)
    news = pd.read_csv(folder.parent / "news.csv")
    late = pd.to_datetime(news["date"]).dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d") >= cut
    news.loc[late, "title"] = "terrible, terrible crisis"
    news.to_csv(tmp_path / "news.csv", index=False)
    (tmp_path / "prices").mkdir()
    for file in tmp_path.glob("S*.csv"):
        file.rename(tmp_path / "prices" / file.name)
    config = small(tmp_path / "prices", headlines=str(tmp_path / "news.csv"))
    after = load_data(config, cuts=data.cuts, scaler=data.scaler)
    known = data.test.dates < np.datetime64(cut)
    assert known.any()
    assert not known.all()
    np.testing.assert_array_equal(after.test.inputs[known], data.test.inputs[known])
    assert (after.test.inputs[~known][..., -1] != data.test.inputs[~known][..., -1]).any(), "nothing moved"
    np.testing.assert_array_equal(after.train.inputs, data.train.inputs)
