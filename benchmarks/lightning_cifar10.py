"""How fast lightning-cifar10 trains: the Trainer beside a bare loop and beside the textbook's, in one run.

    python benchmarks/lightning_cifar10.py [--steps N] [--batch-size N] [--preset cpu]

The first two rows make the same updates of the same network from the same loader: what is between them is Lightning,
with the loggers, callbacks and checkpoints of a real run. Then the same in fp32, and compiled. The last is the loop of
most tutorials: a `DataLoader` whose workers crop and mirror image by image, fp32, contiguous tensors, AdamW as it
comes. All times are medians over the steps after the first three; loops take turns, so that a busy machine slows all.
`of peak` is the share of the rate at which the same machine multiplies two large matrices in that format. A tiny
network shows the Trainer's cost per step.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from rows import add_row
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torch_machine import DEVICE, DTYPES, TrainerClock, machine_line, matrix_peak

from dl_shared.data.image_sets import Split
from dl_shared.runs import Run
from dl_shared.tasks.cifar10 import Data
from dl_shared.tasks.cifar10_config import MEAN, STD
from lightning_projects.cifar10.config import PRESETS, Config
from lightning_projects.cifar10.data import CifarData, TrainLoader
from lightning_projects.cifar10.model import Network
from lightning_projects.cifar10.module import Classifier, batch_sums
from lightning_projects.cifar10.train import averaging, make_module
from lightning_projects.exact import Tally
from lightning_projects.fitting import fit

WARM_UP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8, help="timed steps of each loop and turn")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--preset", choices=list(PRESETS), default="cpu")
    arguments = parser.parse_args()
    preset = PRESETS[arguments.preset]
    config = dataclasses.replace(preset, data="sample", batch_size=arguments.batch_size, epochs=1, patience=0)
    data = noise(config, arguments.steps + WARM_UP + 2)
    flops = training_flops(config)
    peaks = {precision: matrix_peak(precision) for precision in DTYPES}
    print(machine_line(peaks))
    print(f"preset {arguments.preset}, batches of {config.batch_size}, {flops / 1e9:.2f} GFLOP an image, both ways")
    fp32 = dataclasses.replace(config, precision="fp32")
    rows = {
        "bare loop": (bare, config),
        "Trainer": (trainer, config),
        "Trainer, fp32": (trainer, fp32),
        "Trainer, compiled": (trainer, dataclasses.replace(config, compile=True)),
        "textbook Lightning": (textbook, fp32),
    }
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(arguments.turns):
        for name, (loop, variant) in rows.items():
            seconds[name] += loop(variant, data)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{'':24}{'format':8}{'images/s':>10}{'of peak':>9}{'to bare':>9}")
    for name, median in medians.items():
        precision, rate = rows[name][1].precision, config.batch_size / median
        share, ratio = rate * flops / peaks[precision], median / medians["bare loop"]
        print(f"{name:24}{precision:8}{rate:10.0f}{share:9.1%}{ratio:9.3f}", flush=True)
        rates = [config.batch_size / each for each in seconds[name]]
        kind = {trainer: "ours", textbook: "textbook"}.get(rows[name][0], "other")
        described = {"precision": precision, "of_peak": share}
        add_row("lightning-cifar10", name.removesuffix(", fp32"), kind, rates, "images/s", **described)

    tiny = dataclasses.replace(config, widths=(8,), stem_stride=2, batch_size=16, precision="fp32")
    few = noise(tiny, 100)
    times = {name: statistics.median(loop(tiny, few)) for name, loop in (("bare loop", bare), ("Trainer", trainer))}
    print("a tiny network: " + ", ".join(f"{name} {1 / median:.0f} steps/s" for name, median in times.items()))


def noise(config: Config, steps: int) -> Data:
    """Random images for one epoch of so many steps."""
    rng = np.random.default_rng(0)
    n = steps * config.batch_size
    split = Split(rng.integers(0, 256, size=(n, 32, 32, 3)).astype(np.uint8), rng.integers(0, 10, size=n))
    few = split.rows(np.arange(32))
    return Data(split, few, few, tuple("0123456789"), "noise", "", (), None)


def bare(config: Config, data: Data) -> list[float]:
    """The updates of `Classifier` without Lightning; the running average is left out of both."""
    datamodule = CifarData(config, data)
    module = make_module(config, datamodule).to(DEVICE)
    chosen = module.configure_optimizers()
    optimizer, scheduler = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    clock, tally = TrainerClock(), Tally(3)
    for batch in TrainLoader(data.train, config, DEVICE):
        inputs, labels = datamodule.on_after_batch_transfer(batch, 0)
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=config.precision == "bf16"):
            logits = module(inputs)
            loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
        tally.add(batch_sums(loss, logits, labels))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        clock.tick()
    return clock.seconds(WARM_UP)


def trainer(config: Config, data: Data) -> list[float]:
    """A run as `train` makes it, without the test and its report."""
    config = dataclasses.replace(config, ema=0.0)
    clock = TrainerClock()
    datamodule = CifarData(config, data)
    with tempfile.TemporaryDirectory() as folder:
        described = {"task": "cifar10", "framework": "lightning", "primary": "accuracy"}
        with Run.start("lightning-cifar10", config, runs_dir=Path(folder), **described) as run:
            callbacks = (*averaging(config), clock)
            module = make_module(config, datamodule)
            fit(module, datamodule, config, run, monitor="validation/accuracy", callbacks=callbacks)
    return clock.seconds(WARM_UP)


class ImageByImage(Dataset):
    """What tutorials do, with tensors."""

    def __init__(self, split: Split, crop: int) -> None:
        self.images, self.labels, self.crop = torch.from_numpy(split.images).permute(0, 3, 1, 2), split.labels, crop

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = self.images[row] / 255
        image = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        padded = F.pad(image[None], [self.crop] * 4, mode="reflect")[0]
        y, x = torch.randint(2 * self.crop + 1, (2,)).tolist()
        window = padded[:, y : y + 32, x : x + 32]
        return (window.flip(2) if torch.rand(()) < 0.5 else window), int(self.labels[row])


class Textbook(pl.LightningModule):
    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.contiguous_format)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, labels = batch
        logits = self.network(inputs.contiguous())
        loss = F.cross_entropy(logits, labels)
        self.log("train_loss", loss, prog_bar=True)
        self.log("train_accuracy", (logits.argmax(1) == labels).float().mean(), prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def textbook(config: Config, data: Data) -> list[float]:
    """The Trainer with its defaults."""
    torch.manual_seed(0)
    loader = DataLoader(ImageByImage(data.train, config.crop), config.batch_size, shuffle=True, num_workers=2)
    clock = TrainerClock()
    with tempfile.TemporaryDirectory() as folder:
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
        pl.Trainer(max_epochs=1, default_root_dir=folder, callbacks=[clock], **quiet).fit(
            Textbook(Network(config, classes=10)), loader
        )
    return clock.seconds(WARM_UP)


def training_flops(config: Config) -> float:
    """Operations for one image, forward and backward, as torch counts them."""
    module = Classifier(config, Network(config, classes=10), 1)
    with FlopCounterMode(display=False) as counter:
        module(torch.randn(8, 3, 32, 32)).sum().backward()
    return counter.get_total_flops() / 8


if __name__ == "__main__":
    main()
