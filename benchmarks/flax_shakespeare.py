"""How fast flax-shakespeare trains, beside the textbook Flax loop on the same cells, on whatever device JAX finds.

    python benchmarks/flax_shakespeare.py [--steps N] [--turns N] [--batch-size N] [--segment N] [--width N] ...

Each row is timed after its compilation, in a process of its own, so that its memory is its own too; rates are medians
over the turns. The textbook's loop is `nnx.RNN` over `nnx.OptimizedLSTMCell` or `nnx.GRUCell`, one `nnx.jit` call a
step; ours makes all its steps in one call. The last column is the share of the rate at which the device multiplies two
large matrices in that number format. Before that, one product and its two gradients: by plain autodiff, and by
`products.py`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax_machine import PRECISIONS, machine_line, matrix_peak, process_peak_memory, time_calls, time_steps
from rows import add_row

from flax_projects.devices import data_mesh, whole
from flax_projects.shakespeare.config import MODELS, Config
from flax_projects.shakespeare.products import product
from flax_projects.shakespeare.step import make_model, make_train_steps
from flax_projects.shakespeare.train import initial_state

VOCAB = 66
CELLS = {"lstm": nnx.OptimizedLSTMCell, "gru": nnx.GRUCell}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each row and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--segment", type=int, default=64)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--row", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.row is not None:
        measured(arguments)
        return
    print(machine_line())
    print_products(arguments)
    print(
        f"{arguments.layers} layers of {arguments.width}, {arguments.batch_size} streams, {arguments.segment} a segment"
    )
    print(f"{'':32}{'format':8}{'compile s':>10}{'characters/s':>14}{'peak MB':>9}{'of peak':>9}")
    loops = [("textbook loop", name, "fp32") for name in CELLS]
    loops += [("our loop", name, precision) for name in MODELS for precision in PRECISIONS]
    for loop, name, precision in loops:
        command = [sys.executable, __file__, *sys.argv[1:], "--row", json.dumps([loop, name, precision])]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="", flush=True)


def measured(arguments: argparse.Namespace) -> None:
    """Measure one row and print it."""
    loop, name, precision = json.loads(arguments.row)
    sizes = {key: getattr(arguments, key) for key in ("batch_size", "segment", "width", "layers")}
    config = Config(model=name, precision=precision, dropout=0.0, **sizes)
    measure = ours if loop == "our loop" else textbook
    compile_seconds, rates, parameters = measure(config, arguments.steps, arguments.turns)
    rate = statistics.median(rates)
    share = 6 * rate * (parameters - VOCAB * config.width) / matrix_peak(precision)  # the embedding multiplies nothing
    kind = "ours" if loop == "our loop" else "textbook"
    described = {"case": name, "precision": precision, "of_peak": share}
    add_row("flax-shakespeare", loop, kind, rates, "characters/s", **described)
    memory = process_peak_memory() / 1e6
    print(f"{f'{loop}, {name}':32}{precision:8}{compile_seconds:10.1f}{rate:14,.0f}{memory:9,.0f}{share:9.1%}")


def ours(config: Config, steps: int, turns: int) -> tuple[float, list[float], int]:
    """Seconds to compile, characters per second of many steps in one call, each turn, and parameters."""
    mesh = data_mesh("auto", config.batch_size, 1)
    model = make_model(config, VOCAB)
    parameters = count(model)
    graph, state = initial_state(model, config, 100, mesh)
    text = jax.device_put(random_text(config, 2 * steps + 1), whole(mesh))
    program = make_train_steps(graph, config, steps_per_epoch=2 * steps, mesh=mesh)
    start = time.perf_counter()
    compiled = program.lower(state, text, np.int32(0), np.int32(1)).compile()
    compile_seconds = time.perf_counter() - start
    state = compiled(state, text, np.int32(0), np.int32(1))

    def some_steps() -> Any:
        nonlocal state  # a call gives up the state that it is given
        state = compiled(state, text, np.int32(1), np.int32(1 + steps))
        return state

    jax.block_until_ready(state)
    characters = steps * config.batch_size * config.segment
    return compile_seconds, [characters / seconds for seconds in time_calls(some_steps, turns)], parameters


class Textbook(nnx.Module):
    """Embedding, `nnx.RNN` layers, classifier."""

    def __init__(self, config: Config, rngs: nnx.Rngs) -> None:
        self.embedding = nnx.Embed(VOCAB, config.width, rngs=rngs)
        cell = CELLS[config.model]
        self.layers = nnx.List(
            nnx.RNN(cell(config.width, config.width, rngs=rngs), return_carry=True, rngs=False)
            for _ in range(config.layers)
        )
        self.classifier = nnx.Linear(config.width, VOCAB, rngs=rngs)

    def __call__(self, ids: jax.Array, carries: list) -> tuple[jax.Array, list]:
        features, after = self.embedding(ids), []
        for layer, carry in zip(self.layers, carries, strict=True):
            carry, features = layer(features, initial_carry=carry)
            after.append(carry)
        return self.classifier(features), after


def textbook(config: Config, steps: int, turns: int) -> tuple[float, list[float], int]:
    """The same of the loop of the Flax tutorials: one jitted call a step, its batch made on the host."""
    model = Textbook(config, nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, optax.adamw(config.learning_rate), wrt=nnx.Param)
    text = random_text(config, 1).reshape(config.batch_size, -1)[:, : config.segment + 1]
    carries = [layer.cell.initialize_carry((config.batch_size, config.width), nnx.Rngs(0)) for layer in model.layers]

    @nnx.jit
    def train_step(model, optimizer, ids, carries):
        def loss_fn(model):
            logits, after = model(ids[:, :-1], carries)
            return optax.softmax_cross_entropy_with_integer_labels(logits, ids[:, 1:]).mean(), after

        (loss, after), grads = nnx.value_and_grad(loss_fn, has_aux=True)(model)
        optimizer.update(model, grads)
        return loss, after

    def one_step() -> jax.Array:
        nonlocal carries
        loss, carries = train_step(model, optimizer, text, carries)
        return loss

    compile_seconds, step_seconds = time_steps(one_step, steps, turns)
    characters = config.batch_size * config.segment
    return compile_seconds, [characters / seconds for seconds in step_seconds], count(model)


def random_text(config: Config, steps: int) -> np.ndarray:
    """Characters enough for some steps."""
    length = config.batch_size * (config.segment * steps + 1)
    return np.random.default_rng(0).integers(0, VOCAB, length).astype(np.int32)


def count(model: nnx.Module) -> int:
    """Parameters."""
    return sum(param.size for param in jax.tree.leaves(nnx.state(model, nnx.Param)))


def print_products(arguments: argparse.Namespace) -> None:
    """Milliseconds of a product with its gradients, at the size of an LSTM's input projection."""
    rows, width = arguments.batch_size * arguments.segment, arguments.width
    kernel, bias = jnp.ones((width, 4 * width)), jnp.zeros(4 * width)
    functions = {"autodiff": lambda x, w, b: (x @ w.astype(x.dtype) + b).astype(x.dtype), "products.py": product}
    print(f"product {rows} x {width} x {4 * width} with its gradients, milliseconds")
    for precision, dtype in PRECISIONS.items():
        inputs, cells = jnp.ones((rows, width), dtype), []
        for name, function in functions.items():

            def loss(x, w, b, function=function):
                return function(x, w, b).astype(jnp.float32).sum()

            gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))
            cells.append(f"{name} {1000 * fastest(gradient, inputs, kernel, bias):.1f}")
        print(f"  {precision}: {', '.join(cells)}")


def fastest(function, *inputs) -> float:
    """Seconds, the best of ten calls."""
    jax.block_until_ready(function(*inputs))
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        jax.block_until_ready(function(*inputs))
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
