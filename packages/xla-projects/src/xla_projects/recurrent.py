"""`LSTM` and `GRU` for PyTorch/XLA, whose loop over time is one loop of the compiled program.

On an XLA device `nn.LSTM` is unrolled: every time step becomes operations of its own, and the time of compiling grows
with their number. Here the loop is `torch_xla.experimental.scan`, which compiles one time step, however many there are.
Arguments, names of parameters and initial weights are inherited from `nn.LSTM` and `nn.GRU`, and state dicts of either
load into the other:

    import torch, torch_xla
    from xla_projects import LSTM

    lstm = LSTM(8, 32, num_layers=2, batch_first=True).to("xla")
    output, (h, c) = lstm(torch.randn(16, 512, 8).to("xla"))
    output.mean().backward()
    torch_xla.sync()

On any other device a layer is the one it inherits from, so that a network trained on a TPU predicts on a laptop.

What does not depend on the previous time step is taken out of the loop, as in cuDNN (Appleyard et al. 2016,
arXiv:1604.01946): the projection of all inputs is one matrix product before the loop, and the gradient of the recurrent
weights is one product after the backward loop. The backward loop is written by hand: the gradient that `scan` derives
would save the weights again for each time step, and add up a gradient of their size in each. For that reason there are
no second derivatives. A loop is recorded once for each shape, and not at each update (`replay.py`).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Not torch.nn: importing torch_xla puts a GRU there that works on no other device.
from torch.nn.modules import rnn

from xla_projects.replay import Replayed

States = tuple[Tensor, ...]


class _Scanned(nn.RNNBase):
    """What the two layers share: all but the loop over time."""

    carried: int
    """Number of states carried from one time step to the next."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """As `nn.LSTM` and `nn.GRU` do; under autocast the matrix products and the output have its precision.

        Args:
            input: `(time, batch, input_size)`, with `batch_first` `(batch, time, input_size)`, or without a batch.
            hx: initial state `(layers * directions, batch, hidden_size)`, of the LSTM two, `(h, c)`; zeros when None.

        Returns:
            the output of the last layer, `(time, batch, directions * hidden_size)` or as the input lies; and the
            states after the last time step.

        Raises:
            NotImplementedError: if the input is packed, or the layer has `proj_size`.
            RuntimeError, ValueError: if the shapes do not fit, as from `nn.LSTM` and `nn.GRU`.
        """
        if self.weight_ih_l0.device.type != "xla":
            return super().forward(input, hx)
        if not isinstance(input, Tensor) or self.proj_size:
            raise NotImplementedError("on an XLA device, pad sequences instead of packing them, and use no proj_size")
        if input.ndim not in (2, 3):
            raise ValueError(f"the input must have 2 or 3 dimensions, got {input.ndim}")
        batch_axis = 0 if self.batch_first else 1
        series = input if input.ndim == 3 else input.unsqueeze(batch_axis)
        states = self._states(series, hx, series.shape[batch_axis], batched=input.ndim == 3)
        if self.batch_first:
            output, states = self._layers(series.transpose(0, 1), states)
            output = output.transpose(0, 1)
        else:
            output, states = self._layers(series, states)
        if input.ndim == 2:
            output, states = output.squeeze(batch_axis), tuple(state.squeeze(1) for state in states)
        return output, states if self.carried > 1 else states[0]

    def _states(self, series: Tensor, given: Any, batch: int, *, batched: bool) -> States:
        """The initial states, checked as `nn.LSTM` and `nn.GRU` do."""
        if given is None:
            zeros = series.new_zeros(len(self.all_weights), batch, self.hidden_size)
            given, batched = (zeros, zeros) if self.carried > 1 else zeros, True
        states = given if self.carried > 1 else (given,)
        if any(state.ndim != (3 if batched else 2) for state in states):
            raise RuntimeError(f"initial states need {3 if batched else 2} dimensions, as the input has")
        states = states if batched else tuple(state.unsqueeze(1) for state in states)
        checked: Any = states if self.carried > 1 else states[0]
        self.check_forward_args(series, checked, None)
        return tuple(states)

    def _layers(self, series: Tensor, states: States) -> tuple[Tensor, States]:
        """All layers, in one direction or two; input and output are `(time, batch, features)`."""
        ends = []
        directions = 1 + self.bidirectional
        for layer in range(self.num_layers):
            if layer:
                series = F.dropout(series, self.dropout, self.training)
            outputs = []
            for row in range(layer * directions, (layer + 1) * directions):
                backwards = row % directions == 1
                given = series.flip(0) if backwards else series
                output, *end = self._loop(given, *(state[row] for state in states), *self.all_weights[row])
                outputs.append(output.flip(0) if backwards else output)
                ends.append(end)
            series = torch.cat(outputs, dim=-1)
        return series, tuple(torch.stack(of_layers) for of_layers in zip(*ends, strict=True))

    def _loop(self, series: Tensor, *states_and_weights: Tensor) -> States:
        """One layer in one direction: its output, and its states after the last time step."""
        raise NotImplementedError


class LSTM(_Scanned, rnn.LSTM):
    """`nn.LSTM` (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000), to be scanned by XLA.

        i, f, o = sigmoid(W x + U h + b)      input, forget and output gate, each with weights of its own
        g       = tanh(W x + U h + b)
        c'      = f * c + i * g
        h'      = o * tanh(c')

    See `nn.LSTM` for arguments and shapes. `proj_size` and packed sequences are refused on an XLA device.
    """

    carried = 2

    def _loop(self, series: Tensor, *states_and_weights: Tensor) -> States:
        h, c, weight_ih, weight_hh, *biases = states_and_weights
        projected = F.linear(series, weight_ih, biases[0] + biases[1] if biases else None)
        output, h, c = _ScanLSTM.apply(projected, h, c, weight_hh.to(projected.dtype))
        return output, h.to(output.dtype), c.to(output.dtype)


class GRU(_Scanned, rnn.GRU):
    """`nn.GRU` (Cho et al. 2014, arXiv:1406.1078, with the reset gate after the product), to be scanned by XLA.

        r, z = sigmoid(W x + b + U h + d)     reset and update gate, each with weights of its own
        n    = tanh(W x + b + r * (U h + d))
        h'   = (1 - z) * n + z * h

    See `nn.GRU` for arguments and shapes. Packed sequences are refused on an XLA device.
    """

    carried = 1

    def _loop(self, series: Tensor, *states_and_weights: Tensor) -> States:
        h, weight_ih, weight_hh, *biases = states_and_weights
        bias_ih, bias_hh = biases or (None, weight_hh.new_zeros(len(weight_hh)))
        projected = F.linear(series, weight_ih, bias_ih)
        output, h = _ScanGRU.apply(projected, h, weight_hh.to(projected.dtype), bias_hh)
        return output, h.to(output.dtype)


# What follows is one layer in one direction. `projected` is what the inputs add to the gates, `(time, batch, gates *
# hidden)`. States and gates are float32 even if the products, and what is kept for the backward loop, are bfloat16.


def _sigmoid(x: Tensor) -> Tensor:
    """torch's sigmoid as a tanh, which XLA computes faster on a CPU than an exponential and a division."""
    return 0.5 * torch.tanh(0.5 * x) + 0.5


def _product(x: Tensor, matrix: Tensor) -> Tensor:
    return (x.to(matrix.dtype) @ matrix).to(x.dtype)


def _before(first: Tensor, series: Tensor) -> Tensor:
    """The states at the beginning of each time step."""
    return torch.cat([first[None].to(series.dtype), series[:-1]])


def _scan(step: Any, carry: dict[str, Tensor], series: Any, *, backwards: bool = False) -> Any:
    """`torch_xla.experimental.scan` without gradients; with `backwards` from the last time step to the first.

    torch_xla has that direction for the gradients of `scan`, and does not offer it in its interface.
    """
    from torch_xla.experimental import scan

    if backwards:
        return scan._scan_impl_pytree(step, carry, series, reverse=True)
    return scan.scan(step, carry, series)


def _refuse_second_derivatives() -> None:
    if torch.is_grad_enabled():
        raise NotImplementedError("scanned layers have no second derivatives: do without create_graph")


def _wide(tensor: Tensor) -> Tensor:
    """In at least float32."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def _lstm_step(carry: dict[str, Tensor], projected: Tensor) -> tuple[dict[str, Tensor], States]:
    i, f, g, o = (_wide(projected) + _product(carry["h"], carry["weight"])).chunk(4, -1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), torch.tanh(g), _sigmoid(o)
    c = f * carry["c"] + i * g
    h = o * torch.tanh(c)
    kept = tuple(number.to(projected.dtype) for number in (h, i, f, g, o))
    return {**carry, "h": h, "c": c}, (*kept, c)


def _lstm_step_backwards(carry: dict[str, Tensor], kept: States) -> tuple[dict[str, Tensor], Tensor]:
    dy, i, f, g, o, c, c_before = map(_wide, kept)
    t = torch.tanh(c)
    dh = dy + carry["h"]
    dc = carry["c"] + dh * o * (1 - t * t)
    gates = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g * g), dh * t * o * (1 - o)]
    gradient = torch.cat(gates, dim=-1)
    return {**carry, "h": _product(gradient, carry["weight"]), "c": dc * f}, gradient.to(kept[0].dtype)


@Replayed
def _lstm(projected: Tensor, h: Tensor, c: Tensor, weight: Tensor) -> States:
    carry = {"h": _wide(h), "c": _wide(c), "weight": weight.t()}
    end, kept = _scan(_lstm_step, carry, projected)
    return (end["h"], end["c"], *kept)


@Replayed
def _lstm_backwards(
    dy: Tensor, dh: Tensor, dc: Tensor, h: Tensor, c: Tensor, weight: Tensor, output: Tensor, *kept: Tensor
) -> States:
    carry = {"h": _wide(dh), "c": _wide(dc), "weight": weight}
    begin, gradient = _scan(_lstm_step_backwards, carry, (dy, *kept, _before(c, kept[-1])), backwards=True)
    d_weight = gradient.flatten(0, 1).t() @ _before(h, output).flatten(0, 1)
    return gradient, begin["h"].to(h.dtype), begin["c"].to(c.dtype), d_weight


class _ScanLSTM(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, h: Tensor, c: Tensor, weight: Tensor) -> States:
        last_h, last_c, output, *kept = _lstm(projected, h, c, weight)
        ctx.save_for_backward(h, c, weight, output, *kept)
        return output, last_h, last_c

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor, dc: Tensor) -> States:
        _refuse_second_derivatives()
        return tuple(_lstm_backwards(dy, dh, dc, *ctx.saved_tensors))


def _gru_step(carry: dict[str, Tensor], projected: Tensor) -> tuple[dict[str, Tensor], States]:
    h = carry["h"]
    x_r, x_z, x_n = _wide(projected).chunk(3, -1)
    h_r, h_z, h_n = (_product(h, carry["weight"]) + carry["bias"]).chunk(3, -1)
    r, z = _sigmoid(x_r + h_r), _sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    h = n + z * (h - n)
    kept = tuple(number.to(projected.dtype) for number in (h, r, z, n, h_n))
    return {**carry, "h": h}, kept


def _gru_step_backwards(carry: dict[str, Tensor], kept: States) -> tuple[dict[str, Tensor], States]:
    dy, r, z, n, h_n, h_before = map(_wide, kept)
    dh = dy + carry["h"]
    d_n = dh * (1 - z) * (1 - n * n)
    d_z = dh * (h_before - n) * z * (1 - z)
    d_r = d_n * h_n * r * (1 - r)
    of_state = torch.cat([d_r, d_z, d_n * r], dim=-1)
    narrow = kept[0].dtype
    carry = {**carry, "h": dh * z + _product(of_state, carry["weight"])}
    return carry, (torch.cat([d_r, d_z, d_n], dim=-1).to(narrow), of_state.to(narrow))


@Replayed
def _gru(projected: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> States:
    carry = {"h": _wide(h), "weight": weight.t(), "bias": _wide(bias)}
    end, kept = _scan(_gru_step, carry, projected)
    return (end["h"], *kept)


@Replayed
def _gru_backwards(
    dy: Tensor, dh: Tensor, h: Tensor, weight: Tensor, bias: Tensor, output: Tensor, *kept: Tensor
) -> States:
    before = _before(h, output)
    carry = {"h": _wide(dh), "weight": weight}
    begin, (gradient, of_state) = _scan(_gru_step_backwards, carry, (dy, *kept, before), backwards=True)
    of_state = of_state.flatten(0, 1)
    d_weight, d_bias = of_state.t() @ before.flatten(0, 1), _wide(of_state).sum(0).to(bias.dtype)
    return gradient, begin["h"].to(h.dtype), d_weight, d_bias


class _ScanGRU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, h: Tensor, weight: Tensor, bias: Tensor) -> States:
        last, output, *kept = _gru(projected, h, weight, bias)
        ctx.save_for_backward(h, weight, bias, output, *kept)
        return output, last

    @staticmethod
    def backward(ctx: Any, dy: Tensor, dh: Tensor) -> States:
        _refuse_second_derivatives()
        return tuple(_gru_backwards(dy, dh, *ctx.saved_tensors))
