"""How fast accelerate-cifar10 trains: its loop beside the textbook's Accelerate loop, in one run.

    python benchmarks/accelerate_cifar10.py [--steps N] [--turns N] [--batch-size N]

All rows train the embedded ResNet on pictures of 32 pixels, enlarged to the 48 that it was pretrained with. `our loop`
is that of a run, with its keeper, checkpoints and schedule; pictures are enlarged and augmented on the device. `resized
in a loader` makes the same updates, but two worker processes crop, mirror and enlarge each picture with Pillow. The
textbook's loop is that of Accelerate's own example `cv_example.py`: such a loader, contiguous tensors, Adam and
OneCycleLR as they come. All times are medians over the steps after the first three; loops take turns, so that a busy
machine slows all. `of peak` is the share of what the same machine reaches in that format in a large matrix product or
convolution. A tiny network shows what a step costs beside it.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import accelerate
import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL import Image
from rows import add_machine, add_row
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torch_peak import DEVICE, DTYPES, Clock, matrix_peak
from transformers import ResNetConfig

from accelerate_projects.cifar10 import train as training
from accelerate_projects.cifar10.config import PRESETS, Config
from accelerate_projects.cifar10.model import Network, Pretrained, load_backbone, new_network
from accelerate_projects.keeper import Keeper
from accelerate_projects.processes import MIXED_PRECISION, make_accelerator
from dl_shared.data.image_sets import Split
from dl_shared.data.picture_backbones import Preparation
from dl_shared.runs import Run
from dl_shared.tasks.cifar10 import Data

WARM_UP = 3
NAMES = tuple("0123456789")
WORKERS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8, help="timed steps of each loop and turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=256)
    arguments = parser.parse_args()
    bf16 = dataclasses.replace(PRESETS["cpu"], data="sample", batch_size=arguments.batch_size, epochs=1, head_epochs=0)
    fp32 = dataclasses.replace(bf16, precision="fp32")
    data = noise(bf16, arguments.steps + WARM_UP + 1)
    flops = training_flops(load_backbone("embedded", NAMES))
    peaks = {precision: matrix_peak(precision) for precision in DTYPES}
    add_machine(DEVICE.type, torch.get_num_threads(), ["torch", "accelerate"], peaks)
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    print(
        f"{DEVICE}, {torch.get_num_threads()} threads, torch {torch.__version__}, accelerate {accelerate.__version__},"
        f" peak in GFLOP/s: {found}"
    )
    print(f"embedded ResNet, batches of {bf16.batch_size}, {flops / 1e9:.2f} GFLOP a picture, both ways")
    rows = {
        "our loop, bf16": (ours, bf16),
        "resized in a loader, bf16": (resized_in_a_loader, bf16),
        "textbook, bf16": (textbook, bf16),
        "our loop, fp32": (ours, fp32),
        "textbook, fp32": (textbook, fp32),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(arguments.turns):
        for name, (loop, config) in rows.items():
            seconds[name] += loop(config, data, load_backbone("embedded", NAMES))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{'':28}{'pictures/s':>11}{'of peak':>9}{'to the textbook in fp32':>26}")
    for name, median in medians.items():
        loop, config = rows[name]
        rate = config.batch_size / median
        share, ratio = rate * flops / peaks[config.precision], medians["textbook, fp32"] / median
        print(f"{name:28}{rate:11.0f}{share:9.1%}{ratio:26.2f}", flush=True)
        rates = [config.batch_size / step for step in seconds[name]]
        kind = {ours: "ours", textbook: "textbook"}.get(loop, "other")
        described = {"precision": config.precision, "of_peak": share}
        add_row("accelerate-cifar10", name.partition(",")[0], kind, rates, "pictures/s", **described)

    small = dataclasses.replace(fp32, batch_size=16)
    few = noise(small, 100)
    times = {
        name: statistics.median(loop(small, few, tiny())) for name, loop in (("ours", ours), ("textbook", textbook))
    }
    print("a tiny network: " + ", ".join(f"{name} {1 / median:.0f} steps/s" for name, median in times.items()))


def tiny() -> Pretrained:
    """A network of 5,000 weights, for pictures as they are."""
    shape = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
    return Pretrained(new_network(shape, NAMES), Preparation(size=32))


def noise(config: Config, steps: int) -> Data:
    """Random pictures for one epoch of so many steps."""
    rng = np.random.default_rng(0)
    n = steps * config.batch_size
    split = Split(rng.integers(0, 256, size=(n, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, size=n))
    few = split.rows(np.arange(32))
    return Data(split, few, few, NAMES, "noise", "", (), None)


def ours(config: Config, data: Data, pretrained: Pretrained) -> list[float]:
    """The loop of a run, without the test and its report."""
    clock = Clock()

    class TimedKeeper(Keeper):
        def after_batch(self, sums: Tensor) -> None:
            super().after_batch(sums)
            clock.tick()

    accelerator = make_accelerator(config)
    described: dict[str, Any] = {"task": "cifar10", "framework": "accelerate", "primary": "accuracy"}
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(training, "Keeper", TimedKeeper):  # noqa: SIM117
        with Run.start(training.PROJECT, config, runs_dir=Path(folder), **described) as run:
            training.run_loop(config, pretrained, data, run, accelerator)
    return clock.seconds(WARM_UP)


class PictureByPicture(Dataset):
    """What examples do: each picture is cropped, mirrored, enlarged and made a tensor on its own, by Pillow."""

    def __init__(self, split: Split, preparation: Preparation, smallest_crop: float) -> None:
        self.split, self.size, self.smallest = split, preparation.size, smallest_crop
        self.mean, self.std = (torch.tensor(values)[:, None, None] for values in (preparation.mean, preparation.std))

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.split.images[row])
        share = [self.smallest + (1 - self.smallest) * torch.rand(()).item() for _ in range(2)]
        width, height = (s * length for s, length in zip(share, image.size, strict=True))
        left, top = (
            torch.rand(()).item() * (length - s) for s, length in zip((width, height), image.size, strict=True)
        )
        box = (left, top, left + width, top + height)
        image = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box)
        if torch.rand(()) < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
        return (pixels - self.mean) / self.std, int(self.split.labels[row])


def loader(config: Config, data: Data, preparation: Preparation) -> DataLoader:
    pictures = PictureByPicture(data.train, preparation, config.smallest_crop)
    return DataLoader(pictures, config.batch_size, shuffle=True, num_workers=WORKERS, drop_last=True)


def resized_in_a_loader(config: Config, data: Data, pretrained: Pretrained) -> list[float]:
    """Our updates, of pictures that worker processes enlarged."""
    accelerator = make_accelerator(config)
    optimizer = training.make_optimizer(pretrained.network, config, config.layer_decay)
    batches = loader(config, data, pretrained.preparation)
    model, optimizer, batches = accelerator.prepare(pretrained.network.train(), optimizer, batches)
    clock = Clock()
    for inputs, labels in batches:
        loss = F.cross_entropy(model(inputs.contiguous(memory_format=torch.channels_last)), labels)
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        clock.tick()
    accelerator.free_memory()
    return clock.seconds(WARM_UP)


def textbook(config: Config, data: Data, pretrained: Pretrained) -> list[float]:
    """Accelerate's own example, its model exchanged for ours, of which all layers learn."""
    AcceleratorState._reset_state()
    accelerator = Accelerator(mixed_precision=MIXED_PRECISION[config.precision])
    network: Network = pretrained.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-arg]
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-2 / 25)
    batches = loader(config, data, pretrained.preparation)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-2, total_steps=len(batches))
    model, optimizer, batches, schedule = accelerator.prepare(network.train(), optimizer, batches, schedule)
    clock = Clock()
    total = 0.0
    for inputs, labels in batches:
        loss = F.cross_entropy(model(inputs), labels)
        total += loss.detach().float()
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.tick()
    accelerator.free_memory()
    return clock.seconds(WARM_UP)


def training_flops(pretrained: Pretrained) -> float:
    """Operations for one picture, forward and backward, as torch counts them."""
    size = pretrained.preparation.size
    with FlopCounterMode(display=False) as counter:
        pretrained.network.train()(torch.randn(8, 3, size, size)).sum().backward()
    return counter.get_total_flops() / 8


if __name__ == "__main__":
    main()
