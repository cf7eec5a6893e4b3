"""JAX and Flax NNX: the network of flax-cifar10, and the LSTM layers of flax-shakespeare under the heads for prices.

How Flax lays weights out: what is put in comes first, what is put out last, as in y = x W.

    matrices    (inputs, outputs)                     torch's, transposed
    filters     (rows, columns, inputs, outputs)      torch's, from front to back: (2, 3, 1, 0)
    LSTM        (inputs, 4 * hidden)                  gates side by side, in torch's order: input, forget, cell, output;
                                                      with one bias
    images      (images, rows, columns, colours)      colours last
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
from cases import (
    CLASSES,
    DEPTH,
    FEATURES,
    HIDDEN,
    HORIZON,
    LABEL_SMOOTHING,
    LAYERS,
    STRIDE,
    WIDTHS,
    Case,
    Outcome,
    answer,
    class_name,
)
from flax import nnx

from flax_projects.cifar10.config import Config
from flax_projects.cifar10.convolution import fastest_convolution
from flax_projects.cifar10.model import Network
from flax_projects.cifar10.step import loss_fn as cross_entropy
from flax_projects.shakespeare.recurrent import LSTM

jax.config.update("jax_platforms", "cpu")
LAYERS_OF_BLOCK = ("first", "second", "third")
assert len(LAYERS_OF_BLOCK) == DEPTH

Params = dict[str, nnx.Variable]
"""Weights and statistics of a network, by our names."""


class Lstm(nnx.Module):
    """Windows `(windows, days, features)` to forecasts made on each day, `(windows, days, horizon)`."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        widths = [HIDDEN if layer else FEATURES for layer in range(LAYERS)]
        self.layers = nnx.List(LSTM(width, HIDDEN, rngs=rngs) for width in widths)
        self.heads = nnx.Linear(HIDDEN, HORIZON, rngs=rngs)

    def __call__(self, windows: jax.Array) -> jax.Array:
        for layer in self.layers:
            windows, _ = layer(windows, layer.initial_carry(len(windows)))
        return self.heads(windows)


def lstm(case: Case) -> Outcome:
    network = Lstm(nnx.Rngs(0))
    params: Params = {"heads.weight": network.heads.kernel, "heads.bias": network.heads.bias}
    for number, layer in enumerate(network.layers):
        params[f"layers.{number}.input"] = layer.input_kernel
        params[f"layers.{number}.recurrent"] = layer.recurrent_kernel
        params[f"layers.{number}.bias"] = layer.bias

    def loss_fn(network: Lstm, windows: jax.Array, targets: jax.Array) -> jax.Array:
        return optax.squared_error(network(windows), targets).mean()

    found = first_step(network, params, loss_fn, case.inputs, case)
    return replace(found, network=class_name(network.layers[0]))  # the part of it that is a project's


def cnn(case: Case) -> Outcome:
    config = Config(epochs=1, model="resnet", widths=WIDTHS, stem_stride=STRIDE, dropout=0.0, precision="fp32")
    stem, convolve = to_flax(case.weights["stem"], 4), fastest_convolution("cpu")
    network = Network(config, stem, classes=CLASSES, convolve=convolve, rngs=nnx.Rngs(0))
    params: Params = {"classifier": network.classifier.kernel}  # its bias stays 0: the others have none
    for number, block in enumerate(network.blocks):
        for layer, name in enumerate(LAYERS_OF_BLOCK):
            convolution = getattr(block, name)
            params |= {
                f"blocks.{number}.{layer}.filters": convolution.kernel,
                f"blocks.{number}.{layer}.bias": convolution.norm.bias,
                f"blocks.{number}.{layer}.mean": convolution.norm.mean,
                f"blocks.{number}.{layer}.variance": convolution.norm.var,
            }

    def loss_fn(network: Network, images: jax.Array, labels: jax.Array) -> jax.Array:
        return cross_entropy(network, images, labels, LABEL_SMOOTHING)[0]

    return first_step(network, params, loss_fn, case.inputs.transpose(0, 2, 3, 1), case)


def first_step(network: nnx.Module, params: Params, loss_fn: Callable, inputs: np.ndarray, case: Case) -> Outcome:
    for name, param in params.items():
        param[...] = jnp.asarray(to_flax(case.weights[name], param.ndim))
    network.eval()
    outputs = nnx.jit(lambda network, inputs: network(inputs))(network, inputs)
    network.train()
    loss, grads = nnx.jit(nnx.value_and_grad(loss_fn))(network, inputs, case.targets)
    nnx.update(network, grads)  # gradients have the shape of the network: in its place, they go by the same names
    learned = {name: np.asarray(param[...]) for name, param in params.items() if isinstance(param, nnx.Param)}
    found = {name: from_flax(grad, case.weights[name].shape) for name, grad in learned.items()}
    return Outcome(class_name(network), np.asarray(outputs), float(loss), found)


def to_flax(array: np.ndarray, axes: int) -> np.ndarray:
    """Our layout to Flax's, of as many axes."""
    if axes == 4:
        return array.transpose(2, 3, 1, 0)
    if axes == 2:
        return array.reshape(-1, array.shape[-1]).T
    return array.reshape(-1)


def from_flax(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """And back to ours, of this shape."""
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T.reshape(shape)


if __name__ == "__main__":
    answer(lstm=lstm, cnn=cnn)
