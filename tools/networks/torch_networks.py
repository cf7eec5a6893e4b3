"""The LSTM and the CNN in plain PyTorch, and how torch lays weights out.

Torch has our layout: matrices (outputs, inputs), filters (outputs, inputs, rows, columns). Only the LSTM is another:
the gates lie one below the other in one matrix, in the order input, forget, cell, output, so that its four are found
by `chunk(4)`; in memory that is the same. And each layer has two biases, which are added: cuDNN has them so. The second
is zero here, and does not learn, for where both do their sum learns at twice the rate.
"""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from cases import (
    AXES,
    CLASSES,
    DEPTH,
    FEATURES,
    HIDDEN,
    HORIZON,
    LABEL_SMOOTHING,
    LAYERS,
    STRIDE,
    WIDTHS,
    Arrays,
    Case,
)
from torch import Tensor, nn


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the images, in nats, against smoothed labels."""
    return F.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)


class Lstm(nn.Module):
    """Windows `(windows, days, features)` to forecasts made on each day, `(windows, days, horizon)`."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(FEATURES, HIDDEN, LAYERS, batch_first=True)
        self.heads = nn.Linear(HIDDEN, HORIZON)

    def forward(self, windows: Tensor) -> Tensor:
        return self.heads(self.recurrent(windows)[0])


class Block(nn.Module):
    """Three convolutions, each with batch normalisation; the first halves the image, a skip bridges the others.

    The scale of batch normalisation stays 1, as in lightning-cifar10.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        widths = (before, *[after] * DEPTH)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(after) for _ in range(DEPTH))
        for norm in self.norms:
            norm.weight.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        skipped = _gelu(self.norms[0](F.max_pool2d(self.convolutions[0](images), 2)))
        outputs = _gelu(self.norms[1](self.convolutions[1](skipped)))
        return _gelu(self.norms[2](self.convolutions[2](outputs)) + skipped)


class Cnn(nn.Module):
    """Images `(images, 3, 32, 32)` to logits `(images, classes)`: what flax-cifar10 and lightning-cifar10 train."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, AXES, 2 * STRIDE, STRIDE, bias=False).requires_grad_(False)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in pairwise((2 * AXES, *WIDTHS))))
        self.classifier = nn.Linear(WIDTHS[-1], CLASSES, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        responses = self.stem(images)
        features = self.blocks(_gelu(torch.cat([responses, -responses], 1)))
        return self.classifier(features.amax((2, 3)))


def _gelu(sums: Tensor) -> Tensor:
    """As JAX has it by default, with a tanh in place of the normal distribution. They differ by up to 0.0005."""
    return F.gelu(sums, approximate="tanh")


def lstm_names(layers: str = "recurrent") -> dict[str, str]:
    """Torch's names of the weights, by ours, where the layers are called so."""
    names = {"heads.weight": "heads.weight", "heads.bias": "heads.bias"}
    for layer in range(LAYERS):
        names[f"layers.{layer}.input"] = f"{layers}.weight_ih_l{layer}"
        names[f"layers.{layer}.recurrent"] = f"{layers}.weight_hh_l{layer}"
        names[f"layers.{layer}.bias"] = f"{layers}.bias_ih_l{layer}"
    return names


def cnn_names(stem: str = "stem.weight") -> dict[str, str]:
    """Torch's names of the weights and statistics, by ours."""
    names = {"stem": stem, "classifier": "classifier.weight"}
    for block in range(len(WIDTHS)):
        for layer in range(DEPTH):
            norm = f"blocks.{block}.norms.{layer}"
            names |= {
                f"blocks.{block}.{layer}.filters": f"blocks.{block}.convolutions.{layer}.weight",
                f"blocks.{block}.{layer}.bias": f"{norm}.bias",
                f"blocks.{block}.{layer}.mean": f"{norm}.running_mean",
                f"blocks.{block}.{layer}.variance": f"{norm}.running_var",
            }
    return names


@torch.no_grad()
def load(network: nn.Module, weights: Arrays, names: dict[str, str]) -> None:
    """Give a network on the host these weights."""
    own = network.state_dict()
    for ours, theirs in names.items():
        own[theirs].copy_(torch.from_numpy(weights[ours]).reshape(own[theirs].shape))
    for name, param in network.named_parameters():
        if ".bias_hh_l" in name:
            param.zero_().requires_grad_(False)


def gradients(network: nn.Module, case: Case, names: dict[str, str]) -> Arrays:
    """In our layout, of all weights that learn."""
    params = {name: param for name, param in network.named_parameters() if param.requires_grad}
    return {
        ours: as_array(params[theirs].grad).reshape(case.weights[ours].shape)
        for ours, theirs in names.items()
        if theirs in params
    }


def as_array(tensor: Tensor | None) -> np.ndarray:
    """On the host, apart from the tensor."""
    assert tensor is not None
    return tensor.detach().cpu().numpy().copy()
