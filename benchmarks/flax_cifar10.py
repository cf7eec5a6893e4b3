"""How fast flax-cifar10 trains, beside the textbook Flax loop, on whatever device JAX finds.

    python benchmarks/flax_cifar10.py [--steps N] [--turns N] [--batch-size N] [--only NAME]

The network is that of the `cpu` preset. Each row runs in a process of its own, so that its peak of memory is its own,
and is timed after its compilation; rates are medians over the turns. The textbook's loop calls `nnx.jit` once a batch
of images that lie features last, augmented by NumPy and sent as float32; ours makes all its steps in one call on bytes
that lie on the device. `benchmarks/cifar10_torch.py` trains the same network in PyTorch. The last column is the share
of the rate at which the same device multiplies two large matrices in that number format.
"""

import argparse
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import optax
from flax import nnx
from jax_machine import machine_line, matrix_peak, process_peak_memory, time_calls, time_steps
from rows import add_row

from dl_shared.tasks.cifar10_config import MEAN, STD
from flax_projects.cifar10.config import PRESETS, SIDE, Config
from flax_projects.cifar10.convolution import convolve_by_products, convolve_by_xla
from flax_projects.cifar10.model import Network, whitening_filters
from flax_projects.cifar10.step import make_train_steps
from flax_projects.cifar10.train import initial_state
from flax_projects.devices import data_mesh, whole

BY_XLA = "ours by XLA's convolution, SGD, fp32"
ROWS = {
    "textbook, SGD, fp32": ("textbook", {"optimizer": "sgd", "precision": "fp32"}),
    BY_XLA: (convolve_by_xla, {"optimizer": "sgd", "precision": "fp32"}),
    "ours by products, SGD, fp32": (convolve_by_products, {"optimizer": "sgd", "precision": "fp32"}),
    "ours by products, SGD, bf16": (convolve_by_products, {"optimizer": "sgd", "precision": "bf16"}),
    "ours by products, Muon, bf16": (convolve_by_products, {"optimizer": "muon", "precision": "bf16"}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2, help="timed steps of each row and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=PRESETS["cpu"].batch_size)
    parser.add_argument("--only", choices=list(ROWS), help="one row, in this process")
    arguments = parser.parse_args()
    if arguments.only:
        print(row(arguments.only, arguments.steps, arguments.turns, arguments.batch_size), flush=True)
        return
    gigaflops = training_flops(PRESETS["cpu"]) / 1e9
    print(f"{machine_line()}; batches of {arguments.batch_size}, {gigaflops:.2f} GFLOP an image, forward and backward")
    print(f"{'':38}{'compile s':>10}{'images/s':>10}{'of peak':>9}{'memory MB':>11}", flush=True)
    on_cpu = jax.devices()[0].platform == "cpu"
    for name in ROWS:
        if name == BY_XLA and on_cpu:
            continue  # a few images a second inside a compiled loop: see it by --only and a small batch
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--only", name], check=True)


def row(name: str, steps: int, turns: int, batch_size: int) -> str:
    """Measure one line of the table, and add it to that of all benchmarks."""
    convolve, options = ROWS[name]
    config = replace(PRESETS["cpu"], batch_size=batch_size, **options)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(4 * batch_size, SIDE, SIDE, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, size=len(images)).astype(np.int32)
    if convolve == "textbook":
        kind, (seconds, rates) = "textbook", textbook(config, images, labels, steps, turns)
    else:
        kind, (seconds, rates) = "ours", ours(config, convolve, images, labels, steps, turns)
    memory, rate = process_peak_memory(), statistics.median(rates)
    share = rate * training_flops(config) / matrix_peak(config.precision)
    described = {"precision": config.precision, "of_peak": share}
    add_row("flax-cifar10", name.rpartition(", ")[0], kind, rates, "images/s", **described)
    return f"{name:38}{seconds:10.1f}{rate:10.0f}{share:9.1%}{memory / 1e6:11.0f}"


def ours(config: Config, convolve, images, labels, steps: int, turns: int) -> tuple[float, list[float]]:
    """Seconds to compile, and images per second of many steps in one call, each turn."""
    mesh = data_mesh("auto", config.batch_size)
    noise = np.random.default_rng(0).normal(size=(100, SIDE, SIDE, 3)).astype(np.float32)
    filters = whitening_filters(noise, 2 * config.stem_stride)
    model = Network(config, filters, convolve=convolve, rngs=nnx.Rngs(0))
    graph, state = initial_state(model, config, steps, mesh)
    data = jax.device_put((images, labels), whole(mesh))
    steps_per_epoch = len(images) // config.batch_size
    train_steps = make_train_steps(graph, config, steps_per_epoch=steps_per_epoch, mesh=mesh, side=SIDE)
    start = time.perf_counter()
    program = train_steps.lower(state, *data, np.int32(0), np.int32(1)).compile()
    compile_seconds = time.perf_counter() - start
    state = program(state, *data, np.int32(0), np.int32(1))

    def some_steps() -> Any:
        nonlocal state  # a call gives up the state that it is given
        state = program(state, *data, np.int32(1), np.int32(1 + steps))
        return state

    jax.block_until_ready(state)
    return compile_seconds, [steps * config.batch_size / seconds for seconds in time_calls(some_steps, turns)]


class TextbookNetwork(nnx.Module):
    """The layers of the `cnn` network as the Flax tutorials write them; the stem learns, and is not whitened."""

    def __init__(self, config: Config, *, rngs: nnx.Rngs) -> None:
        size = 2 * config.stem_stride
        features = 6 * size**2
        self.stem = nnx.Conv(3, features, (size, size), config.stem_stride, padding="VALID", rngs=rngs)
        self.convolutions, self.norms = nnx.List(), nnx.List()
        for width in config.widths:
            for before in (features, width):
                self.convolutions.append(nnx.Conv(before, width, (3, 3), use_bias=False, rngs=rngs))
                self.norms.append(nnx.BatchNorm(width, rngs=rngs))
            features = width
        self.classifier = nnx.Linear(features, 10, rngs=rngs)

    def __call__(self, inputs):
        features = nnx.gelu(self.stem(inputs))
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            features = convolution(features)
            if index % 2 == 0:
                features = nnx.max_pool(features, (2, 2), strides=(2, 2))
            features = nnx.gelu(norm(features))
        return self.classifier(features.max(axis=(1, 2)))


def textbook(config: Config, images, labels, steps: int, turns: int) -> tuple[float, list[float]]:
    """The loop of the Flax tutorials: one jitted call a batch, its data made on the host."""
    model = TextbookNetwork(config, rngs=nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.sgd(0.01, momentum=0.9, nesterov=True), wrt=nnx.Param)
    rng = np.random.default_rng(0)

    @nnx.jit
    def train_step(model, optimizer, inputs, labels):
        def loss_fn(model):
            return optax.softmax_cross_entropy_with_integer_labels(model(inputs), labels).mean()

        loss, grads = nnx.value_and_grad(loss_fn)(model)
        optimizer.update(model, grads)
        return loss

    def one_step() -> jax.Array:
        rows = rng.choice(len(images), config.batch_size, replace=False)
        return train_step(model, optimizer, augmented(images[rows], config.crop, rng), labels[rows])

    compile_seconds, step_seconds = time_steps(one_step, steps, turns)
    return compile_seconds, [config.batch_size / seconds for seconds in step_seconds]


def augmented(images: np.ndarray, crop: int, rng: np.random.Generator) -> np.ndarray:
    """Crop and flip by NumPy, image by image."""
    padded = np.pad(images, ((0, 0), (crop, crop), (crop, crop), (0, 0)), mode="reflect")
    outputs = np.empty_like(images)
    for i, (row, column) in enumerate(rng.integers(0, 2 * crop + 1, size=(len(images), 2))):
        window = padded[i, row : row + SIDE, column : column + SIDE]
        outputs[i] = window[:, ::-1] if rng.random() < 0.5 else window
    return ((outputs / 255.0 - MEAN) / STD).astype(np.float32)


def training_flops(config: Config) -> float:
    """Operations for one image: two for each product in the forward pass and the gradients of kernels and inputs."""
    side, size = SIDE // config.stem_stride - 1, 2 * config.stem_stride
    features, repeats = 6 * size**2, {"cnn": 1, "resnet": 2}[config.model]
    total = 2 * side**2 * features * 3 * size**2  # the stem: forward only
    for block, width in enumerate(config.widths):
        first = 2 * 9 * side**2 * features * width
        total += first * (3 if block else 2)  # nothing before the first block learns
        side, features = side // 2, width
        total += 3 * repeats * 2 * 9 * side**2 * width**2
    return float(total)


if __name__ == "__main__":
    main()
