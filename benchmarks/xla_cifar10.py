"""How fast xla-cifar10 trains, beside the same update made by eager PyTorch, on whatever device PyTorch/XLA finds.

    python benchmarks/xla_cifar10.py [--steps N] [--batch-size N] [--size N] [--only NAME]

All rows train the embedded ResNet on pictures of 32 pixels, cropped, mirrored and enlarged to the size that it was
pretrained with, by the very function that a run compiles; `eager` calls it without compiling. In `state by the first
step` AdamW makes its moments itself. `enlarged on the host` sends float32 inputs in place of views. Each row runs in a
process of its own. The first column is what the first steps took beyond ordinary ones, `graphs` how many were compiled,
`recorded` the share of a step in which the host runs Python to record the graph. Times are medians; `of peak` is the
share of the rate at which eager PyTorch multiplies two large matrices on the same machine in that format.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from rows import add_machine, add_row
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from torch_peak import DTYPES, matrix_peak

from xla_projects.cifar10.augment import Pipeline, draw_views
from xla_projects.cifar10.config import PRESETS, Config
from xla_projects.cifar10.model import Network, load_backbone
from xla_projects.cifar10.optimizer import LayerwiseRates
from xla_projects.cifar10.train import make_train_step
from xla_projects.device import compilations, start_device
from xla_projects.optimizer import make_adamw

NAMES = tuple("0123456789")
PICTURES, SIDE = 4096, 32
WARM_UP = 2


@dataclass(frozen=True)
class Eager:
    """Stands in for a device: nothing is moved, recorded or compiled."""

    precision: str
    device = torch.device("cpu")

    def put(self, values: Any, *, split: bool = False) -> Tensor:
        return torch.as_tensor(values)

    def to(self, module: Network) -> Network:
        return module

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast("cpu", torch.bfloat16) if self.precision == "bf16" else nullcontext()

    def compiled(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return function


class Timed:
    """A device that knows how long the functions that it compiles took to be recorded."""

    def __init__(self, device: Any) -> None:
        self.wrapped, self.seconds = device, list[float]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.wrapped, name)

    def compiled(self, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def train_step(*arguments: Tensor) -> Tensor:
            start = time.perf_counter()
            result = function(*arguments)
            self.seconds.append(time.perf_counter() - start)
            return result

        return self.wrapped.compiled(train_step)


class HostPipeline:
    """For a step that is given, in place of views, what was enlarged on the host."""

    def inputs(self, images: Tensor, views: Tensor) -> Tensor:
        return views


ROWS = {
    "ours on XLA, fp32": {},
    "ours on XLA, bf16": {"precision": "bf16"},
    "ours eager, fp32": {"eager": True},
    "ours eager, bf16": {"eager": True, "precision": "bf16"},
    "on XLA, fp32, state by the first step": {"zeros": False},
    "on XLA, fp32, enlarged on the host": {"on_host": True},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=10, help="timed steps of each row")
    parser.add_argument("--batch-size", type=int, default=PRESETS["cpu"].batch_size)
    parser.add_argument("--size", type=int, default=48, help="of the enlarged pictures, in pixels")
    parser.add_argument("--only", choices=list(ROWS), help="one row, in this process")
    arguments = parser.parse_args()
    config = replace(PRESETS["cpu"], batch_size=arguments.batch_size, image_size=arguments.size)
    if arguments.only:
        print(json.dumps(measure(config, arguments.steps, **ROWS[arguments.only])))
        return
    flops = training_flops(arguments.size)
    peaks = {name: matrix_peak(name) for name in DTYPES}
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    print(
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, matrix product in GFLOP/s: {found};"
        f" {arguments.size} pixels, batches of {arguments.batch_size}, {flops / 1e9:.2f} GFLOP a picture, both ways"
    )
    print(
        f"{'':40}{'first s':>9}{'graphs':>8}{'step ms':>9}{'recorded':>10}{'pictures/s':>12}{'of peak':>9}", flush=True
    )
    add_machine("XLA", torch.get_num_threads(), ["torch", "torch_xla"], peaks)
    for name, options in ROWS.items():
        command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
        row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
        rate = arguments.batch_size / row["step"]
        precision = options.get("precision", "fp32")
        share = rate * flops / peaks[precision]
        print(
            f"{name:40}{row['first']:9.1f}{row['graphs']:8}{1000 * row['step']:9.0f}{row['recorded']:10.1%}"
            f"{rate:12.0f}{share:9.1%}",
            flush=True,
        )
        title = name.replace(f", {precision}", "")
        kind = {"ours on XLA": "ours", "ours eager": "eager"}.get(title, "other")
        rates = [arguments.batch_size / seconds for seconds in row["steps"]]
        add_row("xla-cifar10", title, kind, rates, "pictures/s", precision=precision, of_peak=share)


def measure(
    config: Config,
    steps: int,
    *,
    precision: str = "fp32",
    eager: bool = False,
    zeros: bool = True,
    on_host: bool = False,
) -> dict[str, Any]:
    """Seconds of the first steps beyond ordinary ones, of each step and of the median one; recording's share of it."""
    device: Any = Timed(Eager(precision) if eager else start_device(replace(config, precision=precision)))
    torch.manual_seed(0)
    pretrained = load_backbone("embedded", NAMES, config.image_size)
    network = device.to(pretrained.network)
    rates = LayerwiseRates(network, config, steps_per_epoch=steps + WARM_UP)
    if eager:
        optimizer = torch.optim.AdamW(rates.groups, lr=torch.tensor(0.0), foreach=False)
    elif zeros:
        optimizer = make_adamw(device, rates.groups)
    else:
        optimizer = torch.optim.AdamW(rates.groups, lr=0.0, capturable=True, foreach=False)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(PICTURES, SIDE, SIDE, 3)).astype(np.uint8)
    labels = rng.integers(0, 10, size=PICTURES)
    pipeline: Any = Pipeline(pretrained.preparation, SIDE, device)
    host = Pipeline(pretrained.preparation, SIDE, Eager("fp32"))  # type: ignore[arg-type]
    if on_host:
        pipeline = HostPipeline()

    step = make_train_step(
        device, network, optimizer, pipeline, device.put(images), device.put(labels), config.label_smoothing
    )
    sums = device.put(np.zeros(3, np.float32))
    seconds, graphs = [], compilations()
    for number in range(steps + WARM_UP):
        draws = np.arange(number * config.batch_size, (number + 1) * config.batch_size) % PICTURES
        start = time.perf_counter()
        views = draw_views(config, draws, SIDE, pretrained.preparation.size)
        if on_host:
            views = host.inputs(torch.from_numpy(images[draws]), torch.from_numpy(views)).numpy()
        sums = step(sums, device.put(draws), device.put(views), device.put(rates.at(0, number)))
        sums.cpu()  # until it has been made
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[WARM_UP:])
    return {
        "first": sum(seconds[:WARM_UP]) - WARM_UP * median,
        "graphs": compilations() - graphs,
        "step": median,
        "steps": seconds[WARM_UP:],
        "recorded": 0.0 if eager else statistics.median(device.seconds[WARM_UP:]) / median,
    }


def training_flops(size: int) -> float:
    """Operations for one picture, forward and backward, as torch counts them."""
    network = load_backbone("embedded", NAMES).network
    with FlopCounterMode(display=False) as counter:
        network.train()(torch.randn(8, 3, size, size)).sum().backward()
    return counter.get_total_flops() / 8


if __name__ == "__main__":
    main()
