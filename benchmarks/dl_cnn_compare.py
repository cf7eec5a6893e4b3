"""How fast dl-cnn-compare trains: our update, the textbook loop on the same network, and several seeds at once.

    python benchmarks/dl_cnn_compare.py [--architectures NAME ...] [--batch-size N] [--steps N] [--turns N]

`ours` gathers, shifts and mirrors a batch on the device, channels last, with a fused optimizer, in both formats. The
textbook loop is that of most tutorials: a `DataLoader` whose two workers crop and mirror image by image, float32,
contiguous tensors, AdamW as it comes. `3 seeds at once` stacks three networks, each with its own batch, and makes one
update of them (`torch.func`, so that convolutions become grouped ones); its images are those of all three. Images have
three channels and 32 pixels. Times are medians over the updates after the first two; loops take turns, so that a busy
machine slows all. `of peak` is the share of what the machine reaches in that format in a large matrix product or
convolution; `first, s` the seconds of the first update, in which `torch.compile` compiles.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Generator
from functools import partial
from itertools import chain, repeat

import numpy as np
import torch
import torch.nn.functional as F
from rows import add_machine, add_row
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.data import DataLoader, Dataset
from torch_peak import DEVICE, DTYPES, matrix_peak

from dl_architectures.cnn_compare.cell import count_flops, make_optimizer, train_step
from dl_architectures.cnn_compare.config import PRESETS, Config
from dl_architectures.cnn_compare.data import Normalisation, TrainImages
from dl_architectures.cnn_compare.names import ARCHITECTURES, VARIANTS
from dl_architectures.cnn_compare.networks import make_network
from dl_architectures.cnn_compare.networks.classifier import Classifier
from dl_shared.data.image_sets import Split

WARM_UP, SEEDS, CROP = 2, 3, 4
KINDS = {"ours": "ours", "ours, compiled": "ours", "textbook": "textbook"}
NORMALISE = Normalisation([127.0] * 3, [64.0] * 3, DEVICE)


def batches(split: Split, config: Config, seed: int) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Epoch after epoch, as a cell sees them."""
    images = TrainImages(split, DEVICE, "cifar10", config, seed)
    for epoch in range(1000):
        plan = images.plan(epoch)
        for start in range(0, len(images) * config.batch_size, config.batch_size):
            yield images.batch(*(part[start : start + config.batch_size] for part in plan))


def ours(name: str, split: Split, config: Config, *, compiled: bool = False) -> Generator[int, None, None]:
    """An update at each turn; how many images it learned from."""
    network = make_network(name, channels=3, classes=10).to(DEVICE, memory_format=torch.channels_last)
    if compiled:
        network.heads = torch.compile(network.heads)
    optimizer = make_optimizer(network, config)
    for batch in batches(split, config, 0):
        train_step(network, optimizer, NORMALISE, batch, config)
        yield config.batch_size


class ImageByImage(Dataset):
    """What tutorials do, with tensors."""

    def __init__(self, split: Split) -> None:
        self.images, self.labels = torch.from_numpy(split.images).permute(0, 3, 1, 2), split.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        padded = F.pad((self.images[row] - 127.0) / 64.0, [CROP] * 4)
        y, x = torch.randint(2 * CROP + 1, (2,)).tolist()
        window = padded[:, y : y + 32, x : x + 32]
        return (window.flip(2) if torch.rand(()) < 0.5 else window), int(self.labels[row])


def textbook(name: str, split: Split, config: Config) -> Generator[int, None, None]:
    """The loop of most tutorials."""
    network = make_network(name, channels=3, classes=10).to(DEVICE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, foreach=False)
    loader = DataLoader(ImageByImage(split), config.batch_size, shuffle=True, num_workers=2, drop_last=True)
    for images, labels in chain.from_iterable(repeat(loader)):
        heads = network.heads(images.to(DEVICE))
        loss = torch.stack([weight * F.cross_entropy(logits, labels.to(DEVICE)) for weight, logits in heads]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield len(labels)


class Heads(torch.nn.Module):
    """A network whose `forward` gives all that training learns from."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> list[Tensor]:
        return [weight * logits for weight, logits in self.network.heads(images)]


def at_once(name: str, split: Split, config: Config) -> Generator[int, None, None]:
    """One update of several networks that differ in the seed."""
    networks = [Heads(make_network(name, channels=3, classes=10)).to(DEVICE) for _ in range(SEEDS)]
    params, buffers = stack_module_state(networks)
    optimizer = torch.optim.AdamW(params.values(), lr=1e-3, fused=True)
    one = networks[0]
    forward = vmap(
        lambda params, buffers, images: functional_call(one, (params, buffers), images), randomness="different"
    )
    own = [batches(split, config, seed) for seed in range(SEEDS)]
    for group in zip(*own, strict=True):
        images = torch.stack([NORMALISE(images) for images, _ in group])
        labels = torch.cat([labels for _, labels in group])
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=config.precision == "bf16"):
            heads = forward(params, buffers, images)
        loss = torch.stack([F.cross_entropy(logits.flatten(0, 1).float(), labels) for logits in heads]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield len(labels)


def timed(updates: Generator[int, None, None], steps: int) -> tuple[float, list[float]]:
    """Seconds of the first update, and images per second of those after the warm-up.

    Workers end with it, and load nothing for a later turn.
    """
    rates, first = [], 0.0
    for number in range(WARM_UP + steps):
        start = time.perf_counter()
        images = next(updates)
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        if number == 0:
            first = seconds
        if number >= WARM_UP:
            rates.append(images / seconds)
    updates.close()
    return first, rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architectures", nargs="+", choices=list(VARIANTS), default=list(ARCHITECTURES))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=3, help="timed updates of each loop and turn")
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    bf16 = dataclasses.replace(PRESETS["full"], batch_size=arguments.batch_size)
    fp32 = dataclasses.replace(bf16, precision="fp32")
    rng = np.random.default_rng(0)
    rows = 20 * arguments.batch_size
    split = Split(rng.integers(0, 256, (rows, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, rows))
    peaks = {precision: matrix_peak(precision) for precision in DTYPES}
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    threads = f", {torch.get_num_threads()} threads" if DEVICE.type == "cpu" else ""
    print(f"{DEVICE}{threads}, torch {torch.__version__}; peak in GFLOP/s: {found}")
    print(f"batches of {arguments.batch_size}; images/s")
    add_machine(DEVICE.type, torch.get_num_threads(), ["torch"], peaks)
    print(f"{'':12}{'':22}{'images/s':>10}{'of peak':>9}{'to textbook':>13}{'first, s':>9}")
    for name in arguments.architectures:
        loops = {
            "ours, bf16": (ours, bf16),
            "ours, bf16, compiled": (partial(ours, compiled=True), bf16),
            "ours, fp32": (ours, fp32),
            f"{SEEDS} seeds at once, bf16": (at_once, bf16),
            f"{SEEDS} seeds at once, fp32": (at_once, fp32),
            "textbook, fp32": (textbook, fp32),
        }
        rates: dict[str, list[float]] = {loop: [] for loop in loops}
        firsts: dict[str, float] = {}
        for _ in range(arguments.turns):
            for loop, (update, config) in loops.items():
                first, measured = timed(update(name, split, config), arguments.steps)
                rates[loop] += measured
                firsts.setdefault(loop, first)  # what is compiled once is kept
        medians = {loop: statistics.median(values) for loop, values in rates.items()}
        # Backward costs about twice what forward costs.
        flops = 3 * count_flops(make_network(name, channels=3, classes=10).to(DEVICE), split.images[:1], NORMALISE)
        for loop, rate in medians.items():
            precision = loops[loop][1].precision
            share = rate * flops / peaks[precision]
            ratio = rate / medians["textbook, fp32"]
            print(f"{name:12}{loop:22}{rate:10,.0f}{share:9.1%}{ratio:13.2f}{firsts[loop]:9.1f}", flush=True)
            title = loop.replace(f", {precision}", "")
            described = {"case": name, "precision": precision, "of_peak": share}
            add_row("dl-cnn-compare", title, KINDS.get(title, "other"), rates[loop], "images/s", **described)


if __name__ == "__main__":
    main()
