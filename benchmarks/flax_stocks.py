"""How fast flax-stocks trains, beside the textbook Flax loop on the same network, on whatever device JAX finds.

    python benchmarks/flax_stocks.py [--steps N] [--turns N] [--preset NAME] [--members N]

The textbook's loop calls `nnx.jit` once a batch on windows that NumPy cut and sends, one network after another. Ours
makes all its steps in one call on prices that lie on the device, for one network and for several at once. A window
counts once for each network that learns from it. Every row is a process of its own, so that its peak memory is its own;
rates are medians over the turns, and the last column is the share of the rate at which the same device multiplies two
large matrices.
"""

import argparse
import statistics
import subprocess
import sys
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax_machine import machine_line, matrix_peak, process_peak_memory, time_calls, time_steps
from rows import add_row

from dl_shared.tasks.stocks import Data, load_data
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.devices import data_mesh
from flax_projects.stocks.config import PRESETS, Config
from flax_projects.stocks.ensemble import make_model
from flax_projects.stocks.step import Series, TrainState, make_optimizer, make_series, train_step
from flax_projects.stocks.train import Learner

ROWS = ("textbook", "ours, 1", "ours, several")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each row and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--preset", choices=list(PRESETS), default="cpu")
    parser.add_argument("--members", type=int, default=4, help="networks of the last row")
    parser.add_argument("--row", choices=ROWS, help="measure this one alone, without a heading")
    arguments = parser.parse_args()
    config = replace(PRESETS[arguments.preset], data="sample", members=1, learning_rates=(), precision="fp32")
    if arguments.row:
        members = arguments.members if arguments.row == "ours, several" else 1
        measure(arguments.row, replace(config, members=members), arguments.steps, arguments.turns)
        return
    print(machine_line())
    print(f"preset {arguments.preset}, {training_flops(config) / 1e6:.1f} MFLOP a window, forward and backward")
    print(f"{'':16}{'members':>8}{'compile s':>11}{'windows/s':>11}{'peak MB':>9}{'of product':>12}", flush=True)
    for row in ROWS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--row", row], check=True)


def measure(row: str, config: Config, steps: int, turns: int) -> None:
    """Time one row and print it."""
    data = load_data(config)
    kind, _, members = row.partition(", ")
    compile_seconds, rates = (textbook if kind == "textbook" else ours)(config, data, steps, turns)
    memory, rate = process_peak_memory() / 1e6, statistics.median(rates)
    share = rate * training_flops(config) / matrix_peak("fp32")
    add_row(
        "flax-stocks",
        f"{kind}, {members} at once" if members == "several" else kind,
        kind,
        rates,
        "windows/s",
        of_peak=share,
    )
    print(f"{kind:16}{config.members:8}{compile_seconds:11.1f}{rate:11.0f}{memory:9.0f}{share:12.1%}", flush=True)


def ours(config: Config, data: Data, steps: int, turns: int) -> tuple[float, list[float]]:
    """Seconds to compile, and windows per second of many steps in one call, each turn."""
    learner = Learner(config, data, data_mesh("auto", config.batch_size))
    learner.train_steps(0, 1)
    jax.block_until_ready(learner.state)

    def some_steps() -> TrainState:
        for first in range(0, steps, learner.steps_per_epoch):
            learner.train_steps(0, min(learner.steps_per_epoch, steps - first))
        return learner.state

    windows = steps * config.batch_size * config.members
    return learner.compile_seconds, [windows / seconds for seconds in time_calls(some_steps, turns)]


def textbook(config: Config, data: Data, steps: int, turns: int) -> tuple[float, list[float]]:
    """The loop of the Flax tutorials: one jitted call a batch, its windows cut on the host."""
    model = make_model(config, data.features, nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, make_optimizer(config, steps + 1), wrt=nnx.Param)
    rngs, generator = nnx.Rngs(dropout=0), np.random.default_rng(0)
    series = jax.tree.map(np.asarray, make_series(data.train, data.target_scale))
    back = np.arange(1 - config.lookback, 1)

    @nnx.jit
    def step(model, optimizer, batch, rngs):
        rate = jnp.float32(config.learning_rate)
        return train_step(model, optimizer, Series(*batch), learning_rate=rate, rngs=rngs)

    def one_step() -> jax.Array:
        ends = generator.choice(data.train.ends, config.batch_size, replace=False)
        return step(model, optimizer, tuple(array[ends[:, None] + back] for array in series), rngs)

    compile_seconds, step_seconds = time_steps(one_step, steps, turns)
    return compile_seconds, [config.batch_size / seconds for seconds in step_seconds]


def training_flops(config: Config) -> float:
    """Operations for one window: two for each product of numbers, forward once and backward twice."""
    width, features = config.width, 8
    seen = 3 * features if config.normalization == "revin" else features
    block = 10 * width**2 + 2 * config.lookback * width
    day = seen * width + config.layers * block + width * config.horizon * len(LEVELS)
    return 3.0 * 2 * config.lookback * day


if __name__ == "__main__":
    main()
