"""How fast xla-imdb fine-tunes: packed rows against padded ones, PyTorch/XLA against eager PyTorch, and compilation.

    python benchmarks/xla_imdb.py [--data PATH] [--max-length N] [--row-length N] [--steps N] [--turns N]

Every line makes updates of the same network (MiniLM, all layers) from the same reviews, in fp32, about as many reviews
an update: `packed` puts them side by side into rows of one length, `lengths` into rows of three lengths, one in each,
and `padded` into rows of the maximal length. `reviews/s` are medians over the updates after the first of each shape;
by how much that one takes longer is `compile`. `recording` is the share of an update that the host spends on recording
its operations, before the graph is looked up and computed, and `of peak` the share of a matrix product's rate that the
updates reach, with padding counted as work. The longest rows of `lengths` are those of `padded`, and compiled there.
Loops take turns, so that a busy machine slows all.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from rows import add_machine, add_row
from torch.utils.flop_counter import FlopCounterMode
from torch_peak import matrix_peak

from dl_shared.tasks import imdb
from xla_projects.device import compilations, start_device
from xla_projects.imdb.config import Config
from xla_projects.imdb.data import Batch, Batches, Shapes, load_reviews
from xla_projects.imdb.model import load_pretrained
from xla_projects.imdb.optimizer import parameter_groups
from xla_projects.imdb.train import make_batches, make_train_step
from xla_projects.optimizer import make_adamw

KINDS = {"XLA, packed": "ours", "XLA, padded": "textbook", "eager, padded": "eager"}


class Eager:
    """What a step asks of a device, by PyTorch on the host."""

    count = 1

    def put(self, values: Any, *, split: bool = False) -> torch.Tensor:
        return torch.from_numpy(np.asarray(values))

    def to(self, module: torch.nn.Module) -> torch.nn.Module:
        return module

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function

    def autocast(self) -> Any:
        return nullcontext()

    def seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def wait(self) -> None: ...


class Loop:
    """Updates of a network of its own, of which each is timed."""

    def __init__(self, config: Config, data: imdb.Data, device: Any, *, padded: bool = False) -> None:
        network, tokenizer = load_pretrained(config, data.train.texts)
        self.device, self.batches = device, make_batches(config, data, tokenizer, device).train
        if padded:
            shapes = Shapes((config.max_length,), 1, False)
            made = self.batches
            self.batches = Batches(
                made.tokens, made.labels, shapes, pad_id=made.pad_id, seed=config.seed, reviews=config.batch_size
            )
        groups, self.learning_rates = parameter_groups(device.to(network), config)
        eager = isinstance(device, Eager)
        optimizer = torch.optim.AdamW(groups, fused=True) if eager else make_adamw(device, groups)
        reviews = self.batches.reviews_per_step
        self.update = make_train_step(network, optimizer, device, clip=config.clip, reviews=reviews)
        network.train()
        self.sums = device.put(np.zeros(5, np.float32))
        self.made = 0
        self.first: dict[tuple[int, ...], float] = {}  # seconds of the first update of each shape
        self.rest: list[tuple[tuple[int, ...], float, float]] = []  # shape, seconds and reviews of the others
        self.recorded: list[float] = []

    def run(self, steps: int) -> None:
        """Make updates, after one of each shape."""
        while len(self.first) < len(self.batches.plans):
            self._timed()
        for _ in range(steps):
            self._timed()

    def _timed(self) -> None:
        epoch, step = divmod(self.made, self.batches.steps)
        batch, _ = self.batches.batch(epoch, step)
        self.device.seed(self.made)
        self.made += 1
        begun = time.perf_counter()
        self._update(self.update, batch)
        self.device.wait()
        seconds = time.perf_counter() - begun
        if batch.input_ids.shape in self.first:
            self.rest.append((batch.input_ids.shape, seconds, float(batch.weights.sum())))
        else:
            self.first[batch.input_ids.shape] = seconds

    def record(self) -> None:
        """Make one update whose operations are recorded first, and computed afterwards."""
        recording = getattr(self.update, "__wrapped__", None)
        if recording is None:
            return
        batch, _ = self.batches.batch(0, 0)
        for _ in range(2):  # the first may be another graph, and so be compiled
            begun = time.perf_counter()
            self._update(recording, batch)
            recorded = time.perf_counter() - begun
            self.device.wait()
        self.recorded.append(recorded / (time.perf_counter() - begun))

    def _update(self, update: Callable[..., torch.Tensor], batch: Batch) -> None:
        put = self.device.put
        self.sums = update(self.sums, put(self.learning_rates), *(put(array, split=True) for array in batch))

    def rates(self) -> list[float]:
        """Reviews per second of each update."""
        return [reviews / seconds for _, seconds, reviews in self.rest]

    def flops(self) -> float:
        """Of a review, forward and backward, padding included; made by updates of the host, and for them only."""
        counted: dict[tuple[int, ...], int] = {}
        for step in range(self.batches.steps):
            batch, _ = self.batches.batch(0, step)
            if batch.input_ids.shape not in counted:
                with FlopCounterMode(display=False) as counter:
                    self._update(self.update, batch)
                counted[batch.input_ids.shape] = counter.get_total_flops()
        return sum(counted[shape] for shape, _, _ in self.rest) / sum(reviews for _, _, reviews in self.rest)

    def line(self) -> str:
        rate = statistics.median(self.rates())
        seconds = statistics.median(seconds for _, seconds, _ in self.rest)
        compiling = sum(max(0.0, first - seconds) for first in self.first.values())
        recorded = f"{statistics.median(self.recorded):10.1%}" if self.recorded else f"{'':10}"
        return f"{rate:10.1f}{self.batches.padding:10.1%}{len(self.first):8}{compiling:10.1f}{recorded}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="`sample` or a path")
    parser.add_argument("--reviews", type=int, default=2000, help="of them, to learn from")
    parser.add_argument("--max-length", type=int, default=256)
    parser.add_argument("--row-length", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--steps", type=int, default=3, help="timed updates of each loop and turn")
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    config = Config(
        data=arguments.data,
        train_reviews=arguments.reviews,
        max_length=arguments.max_length,
        row_length=arguments.row_length,
        batch_size=arguments.batch_size,
        model=arguments.model,
        frozen=0,
    )
    by_length = dataclasses.replace(config, batches="lengths")
    data, device, peak = load_reviews(config), start_device(config), matrix_peak("fp32")
    print(
        f"{device.kind}, {torch.get_num_threads()} threads, torch {torch.__version__},"
        f" matrix product {peak / 1e9:.0f} GFLOP/s"
    )
    add_machine(device.kind, torch.get_num_threads(), ["torch", "torch_xla"], {"fp32": peak})
    loops = {
        "XLA, packed": Loop(config, data, device),
        "XLA, padded": Loop(config, data, device, padded=True),
        "XLA, lengths": Loop(by_length, data, device),
        "eager, packed": Loop(config, data, Eager()),
        "eager, padded": Loop(config, data, Eager(), padded=True),
        "eager, lengths": Loop(by_length, data, Eager()),
    }
    for _ in range(arguments.turns):
        for loop in loops.values():
            loop.run(arguments.steps)
    print(f"{'':16}{'reviews/s':>10}{'padding':>10}{'shapes':>8}{'compile s':>10}{'recording':>10}{'of peak':>10}")
    flops = {name: loops[f"eager, {name}"].flops() for name in ("packed", "padded", "lengths")}
    for name, loop in loops.items():
        loop.record()
        rates = loop.rates()
        of_peak = statistics.median(rates) * flops[name.partition(", ")[2]] / peak
        print(f"{name:16}{loop.line()}{of_peak:10.1%}", flush=True)
        add_row("xla-imdb", name, KINDS.get(name, "other"), rates, "reviews/s", of_peak=of_peak)
    print(f"{compilations()} compilations, the recorded updates included")


if __name__ == "__main__":
    main()
