"""How fast flax-cifar10 trains, beside the textbook Flax loop on the same network, on whatever device JAX finds.

    python benchmarks/flax_cifar10.py [--steps N] [--batch-size N]

Every row is timed in this one process after its compilation: the textbook's loop calls `nnx.jit` once a batch, with
images augmented by NumPy and sent as float32; our loop makes all its steps in one call on bytes that lie on the device.
The last column is the share of the rate at which the same device multiplies two large matrices in that number format.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from flax_projects.cifar10.augment import MEAN, STD
from flax_projects.cifar10.config import PRESETS, Config
from flax_projects.cifar10.convolution import convolve_by_products
from flax_projects.cifar10.model import Network, whitening_filters
from flax_projects.cifar10.step import make_train_steps
from flax_projects.cifar10.train import initial_state
from flax_projects.devices import data_mesh, device_name, whole

LAX = jax.lax.conv_general_dilated
ROWS = (("our loop, nine products", convolve_by_products), ("our loop, XLA's convolution", LAX))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4, help="timed steps of each row")
    parser.add_argument("--batch-size", type=int, default=PRESETS["cpu"].batch_size)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(4 * arguments.batch_size, 32, 32, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, size=len(images)).astype(np.int32)
    options = {"batch_size": arguments.batch_size, "widths": PRESETS["cpu"].widths, "optimizer": "sgd"}
    flops = training_flops(Config(**options))
    print(f"{device_name(data_mesh('auto', arguments.batch_size))}, jax {jax.__version__}, {options}")
    print(f"{flops / 1e9:.2f} GFLOP an image, forward and backward")
    peaks = {precision: matrix_peak(dtype) for precision, dtype in (("fp32", jnp.float32), ("bf16", jnp.bfloat16))}
    for precision, peak in peaks.items():
        print(f"matrix product, {precision}: {peak / 1e9:.0f} GFLOP/s")
    print(f"{'':32}{'format':8}{'compile s':>10}{'images/s':>10}{'of peak':>9}")

    def show(name: str, precision: str, compile_seconds: float, rate: float) -> None:
        share = rate * flops / peaks[precision]
        print(f"{name:32}{precision:8}{compile_seconds:10.1f}{rate:10.0f}{share:9.1%}", flush=True)

    show("textbook loop", "fp32", *textbook(Config(**options), images, labels, arguments.steps))
    for name, convolve in ROWS:
        for precision in peaks:
            config = Config(**options, precision=precision)
            show(name, precision, *ours(config, convolve, images, labels, arguments.steps))


def network(config: Config, convolve=LAX) -> Network:
    size = 2 * config.stem_stride
    noise = np.random.default_rng(0).normal(size=(100, 32, 32, 3)).astype(np.float32)
    return Network(config, whitening_filters(noise, size), convolve=convolve, rngs=nnx.Rngs(0))


def ours(config: Config, convolve, images, labels, steps: int) -> tuple[float, float]:
    """Seconds to compile, and images per second of many steps in one call."""
    mesh = data_mesh("auto", config.batch_size)
    graph, state = initial_state(network(config, convolve), config, steps, mesh)
    data = jax.device_put((images, labels), whole(mesh))
    train_steps = make_train_steps(graph, config, steps_per_epoch=len(images) // config.batch_size, mesh=mesh)
    start = time.perf_counter()
    program = train_steps.lower(state, *data, np.int32(0), np.int32(1)).compile()
    compile_seconds = time.perf_counter() - start
    state = jax.block_until_ready(program(state, *data, np.int32(0), np.int32(1)))
    start = time.perf_counter()
    jax.block_until_ready(program(state, *data, np.int32(1), np.int32(1 + steps)))
    return compile_seconds, steps * config.batch_size / (time.perf_counter() - start)


def textbook(config: Config, images, labels, steps: int) -> tuple[float, float]:
    """The loop of the Flax tutorials: one jitted call a batch, its data made on the host."""
    model = network(config)
    optimizer = nnx.Optimizer(model, optax.sgd(0.01, momentum=0.9, nesterov=True), wrt=nnx.Param)
    rngs = nnx.Rngs(dropout=0)
    rng = np.random.default_rng(0)

    @nnx.jit
    def train_step(model, optimizer, rngs, inputs, labels):
        def loss_fn(model, rngs):
            return optax.softmax_cross_entropy_with_integer_labels(model(inputs, rngs), labels).mean()

        loss, grads = nnx.value_and_grad(loss_fn)(model, rngs)
        optimizer.update(model, grads)
        return loss

    def one_step() -> jax.Array:
        rows = rng.choice(len(images), config.batch_size, replace=False)
        return train_step(model, optimizer, rngs, augmented(images[rows], config.crop, rng), labels[rows])

    start = time.perf_counter()
    one_step().block_until_ready()
    first_seconds = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(steps):
        loss = one_step()
    loss.block_until_ready()
    seconds = time.perf_counter() - start
    return first_seconds - seconds / steps, steps * config.batch_size / seconds


def augmented(images: np.ndarray, crop: int, rng: np.random.Generator) -> np.ndarray:
    """Crop and flip by NumPy, image by image."""
    padded = np.pad(images, ((0, 0), (crop, crop), (crop, crop), (0, 0)), mode="reflect")
    outputs = np.empty_like(images)
    for i, (row, column) in enumerate(rng.integers(0, 2 * crop + 1, size=(len(images), 2))):
        window = padded[i, row : row + 32, column : column + 32]
        outputs[i] = window[:, ::-1] if rng.random() < 0.5 else window
    return ((outputs / 255.0 - MEAN) / STD).astype(np.float32)


def training_flops(config: Config) -> float:
    """Of one image: two for each multiplication in forward pass, gradient of the kernels and gradient of the inputs."""
    side, size = 32 // config.stem_stride, 2 * config.stem_stride
    features, repeats = 6 * size**2, {"cnn": 1, "resnet": 2}[config.model]
    total = 2 * side**2 * features * 3 * size**2  # the stem: forward only
    for block, width in enumerate(config.widths):
        first = 2 * 9 * side**2 * features * width
        total += first * (3 if block else 2)  # nothing before the first block learns
        side, features = side // 2, width
        total += 3 * repeats * 2 * 9 * side**2 * width**2
    return float(total)


def matrix_peak(dtype, size: int = 2048) -> float:
    """Operations per second of a square matrix product with float32 sums, the best of ten."""
    matrix = jnp.ones((size, size), dtype)
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    product(matrix).block_until_ready()
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        product(matrix).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


if __name__ == "__main__":
    main()
