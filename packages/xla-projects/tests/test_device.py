"""What the glue promises: one graph for each kind of call, AdamW as on the host, and refusals in one line."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dl_shared.errors import InputError
from xla_projects import checkpoints
from xla_projects.config import XlaConfig
from xla_projects.device import compilations, fetch, start_device
from xla_projects.optimizer import make_adamw, set_rates

CONFIG = XlaConfig(epochs=1, batch_size=8)
RATES = [0.0, 1e-2, 1.0, 1e-3]  # a 0 or a 1 is easily taken for a constant of the graph


def make_net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Dropout(0.5), nn.Linear(7, 1))


def groups(net):
    return [{"params": list(net[0].parameters()), "weight_decay": 0.1}, {"params": [*net[1:].parameters()]}]


def inputs(number):
    return np.random.default_rng(number).normal(size=(8, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def device():
    return start_device(CONFIG)


def train(net, optimizer, device, updates):
    def step(inputs, rates):
        set_rates(optimizer, rates)
        optimizer.zero_grad()
        loss = F.mse_loss(net(inputs), inputs.sum(1, keepdim=True))
        loss.backward()
        optimizer.step()
        return loss.detach()

    compiled = device.compiled(step)
    losses = []
    for number in updates:
        device.seed(number)
        losses.append(float(fetch(compiled(device.put(inputs(number)), device.put(np.float32([RATES[number], 1e-3]))))))
    return losses


@pytest.fixture(scope="module")
def trained(device):
    """Four updates, made by one graph."""
    net = device.to(make_net())
    optimizer = make_adamw(device, groups(net))
    before = compilations()
    losses = train(net, optimizer, device, range(4))
    assert compilations() - before == 1, "the first update is the same graph as the others, whatever the rates"
    return net, optimizer, losses


def test_dropout_is_a_function_of_the_seed(device, trained):
    net = device.to(nn.Dropout(0.5))
    drop = device.compiled(lambda ones: net(ones))
    ones = device.put(np.ones((4, 100), np.float32))
    found = []
    for seed in (1, 2, 1):
        device.seed(seed)
        found.append(fetch(drop(ones)))
    assert np.array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])


def test_taken_from_a_file_it_goes_on_as_it_would_have(device, trained, tmp_path):
    net = device.to(make_net())
    optimizer = make_adamw(device, groups(net))
    losses = train(net, optimizer, device, range(2))
    path = tmp_path / "state.safetensors"
    parts = {"model": checkpoints.weights(net), "optimizer": checkpoints.optimizer_arrays(optimizer)}
    checkpoints.save(path, {}, **parts)
    fresh = device.to(make_net())
    again = make_adamw(device, groups(fresh))
    parts, _ = checkpoints.load(path)
    before = compilations()
    checkpoints.load_weights(device, path, fresh, parts["model"])
    checkpoints.load_optimizer(device, again, parts["optimizer"])
    assert losses + train(fresh, again, device, range(2, 4)) == trained[2]
    assert compilations() == before, "of the graph that is there already"
    for name, array in checkpoints.weights(trained[0]).items():
        assert np.array_equal(array, checkpoints.weights(fresh)[name]), name


def test_weights_of_another_model_are_refused(device, tmp_path):
    net = device.to(nn.Linear(2, 3))
    with pytest.raises(InputError, match="another model"):
        checkpoints.load_weights(device, tmp_path / "x", net, {"weight": np.zeros((3, 3))})


def test_updates_are_those_of_adamw_on_the_host(device):
    torch.manual_seed(0)
    ours, theirs = device.to(nn.Linear(5, 1)), nn.Linear(5, 1)
    theirs.load_state_dict({name: torch.from_numpy(array) for name, array in checkpoints.weights(ours).items()})
    optimizer = make_adamw(device, [{"params": list(ours.parameters()), "weight_decay": 0.1}])
    plain = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1)

    def update(net, optimizer, values, rates):
        set_rates(optimizer, rates)
        optimizer.zero_grad()
        F.mse_loss(net(values), values.sum(1, keepdim=True)).backward()
        optimizer.step()

    compiled = device.compiled(lambda values, rates: update(ours, optimizer, values, rates))
    for number in range(5):
        rates = np.float32([0.1 / (1 + number)])
        compiled(device.put(inputs(number)), device.put(rates))
        update(theirs, plain, torch.from_numpy(inputs(number)), torch.from_numpy(rates))
    for name, param in theirs.named_parameters():
        np.testing.assert_allclose(checkpoints.weights(ours)[name], param.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_asking_for_a_result_within_a_compiled_function_is_an_error(device):
    asks = device.compiled(lambda values: float(values.sum()))
    with pytest.raises(RuntimeError):
        asks(device.put(np.ones(3, np.float32)))


def in_a_process(*flags, **environment):
    """`xla-stocks setup` in a process of its own, because a process has one device for good."""
    kept = {name: value for name, value in os.environ.items() if name != "PJRT_DEVICE"}
    command = [sys.executable, "-m", "xla_projects.stocks.cli", "setup", "--json", *flags]
    return subprocess.run(command, capture_output=True, text=True, env=kept | environment)


def test_setup_runs_one_step_on_four_devices_and_says_what_it_found():
    found = in_a_process("--devices", "4")
    assert found.returncode == 0, found.stderr
    said = json.loads(found.stdout)
    assert (said["backend"], said["devices"], said["compilations"]) == ("CPU", 4, 1)
    assert found.stderr == ""


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        (["--device", "gpu"], {}, "has ended"),
        ([], {"PJRT_DEVICE": "CUDA"}, "knows CPU and TPU"),
        (["--device", "tpu"], {}, "no TPU"),
        (["--compile-cache", "/proc/none"], {}, "cannot be written"),
    ],
)
def test_what_cannot_be_had_is_refused_in_one_line(flags, environment, says):
    found = in_a_process(*flags, **environment)
    assert found.returncode == 2
    assert says in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_a_process_has_one_number_of_devices(device):
    with pytest.raises(InputError, match="start another"):
        start_device(XlaConfig(epochs=1, batch_size=8, devices=2))
