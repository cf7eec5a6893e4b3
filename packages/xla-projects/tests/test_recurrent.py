"""The scanned layers: numbers, gradients, names and errors of nn.LSTM and nn.GRU, in a program of one time step."""

import numpy as np
import pytest
import torch
import torch_xla
from torch import nn
from torch.nn.modules import rnn  # torch_xla puts another GRU in torch.nn

from xla_projects import GRU, LSTM
from xla_projects.device import compilations

PAIRS = {"lstm": (LSTM, nn.LSTM), "gru": (GRU, rnn.GRU)}
TIME, BATCH, INPUTS, HIDDEN = 7, 3, 4, 5
XLA = torch.device("xla")


def pair(cell, **options):
    """A scanned layer on the XLA device, and torch's on the host, with the same weights."""
    torch.manual_seed(0)
    ours, theirs = PAIRS[cell]
    plain = theirs(INPUTS, HIDDEN, **options)
    scanned = ours(INPUTS, HIDDEN, **options)
    scanned.load_state_dict(plain.state_dict())
    plain.load_state_dict(scanned.state_dict())
    return scanned.to(XLA), plain


def numbers(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def applied(layer, series, states):
    """Outputs and states of a layer, and the gradients of all that it was given, where each output counts otherwise."""
    device = next(layer.parameters()).device
    given = [tensor.detach().to(device).requires_grad_() for tensor in (series, *states)]
    output, ends = layer(given[0], (tuple(given[1:]) if len(states) > 1 else given[1]) if states else None)
    results = [output, *(ends if isinstance(ends, tuple) else (ends,))]
    weights = [torch.linspace(-1, 2, result.numel()).reshape(result.shape).to(device) for result in results]
    sum((result.float() * weight).sum() for result, weight in zip(results, weights, strict=True)).backward()
    torch_xla.sync()
    gradients = [tensor.grad for tensor in (*given, *layer.parameters())]
    return [tensor.detach().cpu() for tensor in results], [tensor.cpu() for tensor in gradients]


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize(
    ("options", "shape", "given"),
    [
        ({"num_layers": 2}, (TIME, BATCH), True),
        ({"batch_first": True}, (BATCH, TIME), True),
        ({"bias": False}, (TIME, BATCH), False),
        ({"num_layers": 2, "bidirectional": True}, (TIME, BATCH), True),
        ({"batch_first": True}, (TIME,), True),
    ],
    ids=["two layers", "batch first", "no bias", "both directions", "no batch"],
)
def test_outputs_states_and_gradients_are_those_of_torch(cell, options, shape, given):
    scanned, plain = pair(cell, **options)
    rows = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    batch = (BATCH,) if len(shape) > 1 else ()
    states = [numbers(rows, *batch, HIDDEN, seed=seed) for seed in (1, 2)][: scanned.carried] if given else []
    series = numbers(*shape, INPUTS)
    for ours, theirs in zip(applied(scanned, series, states), applied(plain, series, states), strict=True):
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-5)


def test_importing_torch_xla_does_not_exchange_what_the_layers_inherit_from():
    assert issubclass(LSTM, nn.LSTM)
    assert GRU.__mro__[2] is rnn.GRU
    assert not issubclass(GRU, nn.GRU), "the one that torch_xla puts in the place of torch's"


@pytest.mark.parametrize("cell", PAIRS)
def test_off_the_xla_device_a_layer_is_that_of_torch(cell):
    scanned, plain = pair(cell, num_layers=2, batch_first=True)
    series = numbers(BATCH, TIME, INPUTS)
    packed = nn.utils.rnn.pack_padded_sequence(series, [7, 5, 2], batch_first=True)
    torch.testing.assert_close(scanned.cpu()(series)[0], plain(series)[0], rtol=0, atol=0)
    torch.testing.assert_close(scanned(packed)[0].data, plain(packed)[0].data, rtol=0, atol=0)


@pytest.mark.parametrize("cell", PAIRS)
def test_in_bfloat16_output_and_states_are_as_under_autocast_elsewhere(cell):
    scanned, plain = pair(cell, num_layers=2)
    series = numbers(TIME, BATCH, INPUTS)
    with torch.autocast("xla", torch.bfloat16):
        ours, gradients = applied(scanned, series, ())
    theirs, expected = applied(plain, series, ())
    assert all(result.dtype == torch.bfloat16 for result in ours)
    assert all(gradient.dtype == torch.float32 for gradient in gradients)
    for mine, other in zip((*ours, *gradients), (*theirs, *expected), strict=True):
        assert (mine.float() - other).norm() < 0.02 * other.norm()


def test_dropout_falls_between_the_layers_in_training_only():
    scanned, _ = pair("lstm", num_layers=2, dropout=0.5)
    series = numbers(TIME, BATCH, INPUTS).to(XLA)
    once, again = (scanned(series)[1][0].cpu() for _ in range(2))
    torch.testing.assert_close(once[0], again[0], msg="before the first layer")
    assert not torch.equal(once[1], again[1])
    scanned.eval()
    assert torch.equal(*(scanned(series)[0].cpu() for _ in range(2)))


@pytest.mark.parametrize("cell", PAIRS)
def test_a_program_for_512_time_steps_is_as_long_as_one_for_32(cell):
    lines = []
    for time in (32, 512):
        scanned, _ = pair(cell, num_layers=2)
        scanned(numbers(time, BATCH, INPUTS).to(XLA))[0].sum().backward()
        gradients = [param.grad for param in scanned.parameters()]
        lines.append(len(torch_xla._XLAC._get_xla_tensors_hlo(gradients).splitlines()))
    assert lines[0] == lines[1]


def test_a_step_that_is_replayed_is_compiled_once_and_follows_its_weights():
    scanned, plain = pair("lstm")
    series = numbers(TIME, BATCH, INPUTS)
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.5) for layer in (scanned, plain)]
    before = compilations()
    given = series.to(XLA)
    for _ in range(4):
        with torch_xla.compile(full_graph=True):
            optimizers[0].zero_grad()
            scanned(given)[0].square().mean().backward()
            optimizers[0].step()
        optimizers[1].zero_grad()
        plain(series)[0].square().mean().backward()
        optimizers[1].step()
    for mine, other in zip(scanned.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.detach().cpu(), other.detach(), rtol=1e-5, atol=1e-5)
    assert compilations() == before + 1


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (lambda layer: layer(nn.utils.rnn.pack_sequence([numbers(2, INPUTS).to(XLA)])), NotImplementedError, "pad"),
        (lambda layer: layer(numbers(INPUTS).to(XLA)), ValueError, "2 or 3 dimensions, got 1"),
        (lambda layer: layer(numbers(TIME, BATCH, 9).to(XLA)), RuntimeError, "Expected 4, got 9"),
        (lambda layer: layer(numbers(TIME, BATCH, INPUTS).to(XLA), numbers(1, HIDDEN).to(XLA)), RuntimeError, "3 dim"),
        (lambda layer: layer(numbers(TIME, BATCH, INPUTS).to(XLA), numbers(1, 1, HIDDEN).to(XLA)), RuntimeError, "hid"),
    ],
    ids=["packed", "one axis", "other inputs", "a state without batch", "another batch"],
)
def test_what_cannot_be_computed_is_refused(given, error, message):
    layer, _ = pair("gru")
    with pytest.raises(error, match=message):
        given(layer)


def test_second_derivatives_are_refused_and_proj_size_too():
    layer, _ = pair("lstm")
    series = numbers(TIME, BATCH, INPUTS).to(XLA).requires_grad_()
    with pytest.raises(NotImplementedError, match="create_graph"):
        torch.autograd.grad(layer(series)[0].sum(), series, create_graph=True)
    with pytest.raises(NotImplementedError, match="proj_size"):
        LSTM(INPUTS, HIDDEN, proj_size=2).to(XLA)(series)
