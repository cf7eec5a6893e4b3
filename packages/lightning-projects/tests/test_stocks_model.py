"""The network and its loss against numbers worked out by hand, and what is true of every network."""

import pytest
import torch
import torch.nn.functional as F

from lightning_projects.exact import Tally
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.data import TrainBatch
from lightning_projects.stocks.model import Forecaster
from lightning_projects.stocks.module import Regressor, error_sums


def tiny(**options):
    return Config(**{"data": "", "hidden": 6, "layers": 2, "horizon": 4, "dropout": 0.0, "batch_size": 5, **options})


def network(**options):
    torch.manual_seed(0)
    return Forecaster(tiny(**options), features=3)


def filled(net):
    """With heads that are not zero."""
    torch.manual_seed(1)
    torch.nn.init.normal_(net.heads.weight)
    return net


def test_two_days_by_hand():
    """One unit, one feature: gates worked out from Hochreiter and Schmidhuber's equations."""
    net = Forecaster(tiny(hidden=1, layers=1, horizon=2), features=1)
    with torch.no_grad():
        net.lstm.weight_ih_l0.copy_(torch.tensor([[0.5], [-0.5], [1.0], [0.25]]))  # input, forget, cell, output
        net.lstm.weight_hh_l0.copy_(torch.tensor([[0.1], [0.2], [0.3], [0.4]]))
        net.lstm.bias_ih_l0.copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
        net.heads.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        net.heads.bias.copy_(torch.tensor([0.0, 0.5]))
    sigmoid, tanh = torch.sigmoid, torch.tanh
    h = c = torch.tensor(0.0)
    outputs = []
    for x in (1.0, -2.0):
        i, f = sigmoid(0.5 * x + 0.1 * h), sigmoid(-0.5 * x + 0.2 * h + 1.0)
        g, o = tanh(1.0 * x + 0.3 * h), sigmoid(0.25 * x + 0.4 * h)
        c = f * c + i * g
        h = o * tanh(c)
        outputs.append(torch.stack([2 * h, 0.5 - h]))
    windows = torch.tensor([[[1.0], [-2.0]]])
    torch.testing.assert_close(net(windows)[0], torch.stack(outputs))
    torch.testing.assert_close(net.forecast(windows)[0], outputs[-1])


@pytest.mark.parametrize("layers", [1, 3])
def test_the_untrained_forecast_is_persistence_and_every_parameter_learns(layers):
    net, windows = network(layers=layers), torch.randn(5, 7, 3)
    assert net(windows).shape == (5, 7, 4)
    assert not net(windows).any()
    F.mse_loss(filled(net)(windows), torch.randn(5, 7, 4)).backward()
    assert len(list(net.parameters())) == 4 * layers + 2
    for name, param in net.named_parameters():
        assert param.grad.isfinite().all(), name
        assert param.grad.abs().max() > 0, name


def test_gates_remember_at_first():
    net = network()
    for layer in range(2):
        biases = [getattr(net.lstm, f"bias_{part}_l{layer}").detach().chunk(4) for part in ("ih", "hh")]
        assert [float(bias.sum()) for bias in biases[0]] == [0, 6, 0, 0]
        assert not torch.cat(biases[1]).any()
        for gate in getattr(net.lstm, f"weight_hh_l{layer}").detach().chunk(4):
            torch.testing.assert_close(gate @ gate.T, torch.eye(6), atol=1e-5, rtol=0)


def test_a_day_is_forecast_from_the_days_up_to_it():
    net, windows = filled(network()), torch.randn(2, 9, 3)
    changed = windows.clone()
    changed[:, 6] += 1
    before, after = net(windows), net(changed)
    torch.testing.assert_close(before[:, :6], after[:, :6])
    assert (before[:, 6:] != after[:, 6:]).all()
    for days in (1, 5, 9):
        torch.testing.assert_close(net.forecast(windows[:, :days]), before[:, days - 1])


@pytest.mark.parametrize("layers", [1, 2])
def test_dropout_is_on_in_training_only(layers):
    net, windows = filled(network(dropout=0.5, layers=layers)), torch.randn(2, 4, 3)
    assert not torch.equal(net(windows), net(windows))
    net.eval()
    assert torch.equal(net(windows), net(windows))


def test_bfloat16_gives_nearly_the_same_outputs():
    net, windows = filled(network()), torch.randn(4, 6, 3)
    full = net(windows)
    with torch.autocast("cpu", torch.bfloat16):
        half = net(windows).float()
    assert 0 < (full - half).abs().max() < 0.05 * full.abs().max()


def test_the_loss_is_the_mean_squared_error_of_returns():
    module = Regressor(tiny(), filled(network()), 10)
    module.log = lambda *_, **__: None
    batch = TrainBatch(torch.randn(5, 7, 3), torch.randn(5, 7, 4))
    loss = module.training_step(batch, 0)
    torch.testing.assert_close(loss, ((module(batch.inputs) - batch.targets) ** 2).mean())


def test_one_batch_is_learned_by_heart():
    config = tiny(hidden=32, learning_rate=0.02, warmup=0.0, weight_decay=0.0)
    torch.manual_seed(0)
    module = Regressor(config, Forecaster(config, features=3), total_steps=10_000)
    optimizer = module.configure_optimizers()["optimizer"]
    torch.manual_seed(1)
    inputs, targets = torch.randn(5, 7, 3), torch.randn(5, 7, 4)
    for _ in range(300):
        loss = F.mse_loss(module(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.02


def test_the_scores_of_ragged_batches_are_those_of_all():
    torch.manual_seed(0)
    outputs, targets = torch.randn(37, 4), torch.randn(37, 4)
    tally = Tally(4)
    for rows in torch.arange(37).split(8):
        tally.add(error_sums(outputs[rows], targets[rows]))
    scores = {name: value.float() for name, value in Regressor.scores(tally.sums).items()}
    torch.testing.assert_close(scores["loss"], F.mse_loss(outputs, targets))
    torch.testing.assert_close(scores["skill"], 1 - (outputs - targets).abs().sum() / targets.abs().sum())


def test_gradients_are_clipped_by_their_norm_together():
    module = Regressor(tiny(clip=0.5), filled(network()), 10)
    F.mse_loss(module(torch.randn(5, 7, 3)), 100 * torch.ones(5, 7, 4)).backward()
    module.configure_gradient_clipping(module.configure_optimizers()["optimizer"])
    norms = torch.stack([param.grad.norm() for param in module.parameters()])
    torch.testing.assert_close(norms.norm(), torch.tensor(0.5))


def test_matrices_decay_and_biases_do_not():
    groups = Regressor(tiny(weight_decay=0.3), network(), 10).configure_optimizers()["optimizer"].param_groups
    decays = {param.ndim: group["weight_decay"] for group in groups for param in group["params"]}
    assert decays == {2: 0.3, 1: 0.0}
