"""How fast lightning-stocks trains: the Trainer beside a bare loop and beside the textbook's, in one run.

    python benchmarks/lightning_stocks.py [--steps N] [--preset cpu]

The first two make the same updates of the same network from the same loader, once in fp32 and once in bf16: what is
between them is Lightning, with the loggers, callbacks and checkpoints of a real run. The third is the loop of most
tutorials: a `DataLoader` over windows cut one by one, a loss on the last day of each, fp32, Adam as it comes. A step of
ours learns from every day of its windows, so the table counts the days learned from as well. Times are medians over the
steps after the first ten; loops take turns, so that a busy machine slows all. `of peak` is the share of the rate at
which the same machine multiplies two large matrices in that format.
"""

import argparse
import dataclasses
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from rows import add_row
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch_machine import DEVICE, DTYPES, TrainerClock, machine_line, matrix_peak

from dl_shared.data.windows import Windows
from dl_shared.runs import Run
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks import load_data
from lightning_projects.exact import Tally
from lightning_projects.fitting import fit
from lightning_projects.stocks.config import PRESETS, Config
from lightning_projects.stocks.data import StocksData, TrainLoader
from lightning_projects.stocks.model import Forecaster
from lightning_projects.stocks.module import error_sums
from lightning_projects.stocks.train import MONITOR, PROJECT, make_module

WARM_UP = 10

Loop = Callable[[Config, stocks.Data], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150, help="steps of each loop and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--preset", choices=list(PRESETS), default="cpu")
    arguments = parser.parse_args()
    config = dataclasses.replace(PRESETS[arguments.preset], data="sample", epochs=1, patience=0, stride=1)
    data = shortened(load_data(config), config, arguments.steps)
    if config.threads:
        torch.set_num_threads(config.threads)  # for the textbook's loop, and the matrix product, as well
    flops = training_flops(config, len(data.features))
    parameters = sum(param.numel() for param in Forecaster(config, features=len(data.features)).parameters())
    print(
        f"preset {arguments.preset}: {parameters:,} parameters, batches of {config.batch_size} windows of"
        f" {config.lookback} days, {flops / 1e3:.1f} kFLOP a day, both ways"
    )
    peaks = {precision: matrix_peak(precision) for precision in DTYPES}
    print(machine_line(peaks))
    loops: dict[str, Loop] = {"bare loop": bare, "Trainer, as in a run": trainer}
    cases = [(name, loop, precision) for precision in DTYPES for name, loop in loops.items()]
    cases.append(("textbook Lightning", textbook, "fp32"))
    seconds: dict[tuple[str, str], list[float]] = {(name, precision): [] for name, _, precision in cases}
    for _ in range(arguments.turns):
        for name, loop, precision in cases:
            seconds[name, precision] += loop(dataclasses.replace(config, precision=precision), data)
    print(f"{'':22}{'format':8}{'ms/step':>9}{'steps/s':>9}{'days/s':>11}{'of peak':>9}{'to bare':>9}")
    for (name, precision), times in seconds.items():
        step = statistics.median(times)
        days = config.batch_size * (1 if name.startswith("textbook") else config.lookback)
        share = config.batch_size * config.lookback * flops / step / peaks[precision]
        ratio = step / statistics.median(seconds["bare loop", precision])
        print(f"{name:22}{precision:8}{1e3 * step:9.2f}{1 / step:9.0f}{days / step:11,.0f}{share:9.1%}{ratio:9.2f}")
        kind = {"Trainer, as in a run": "ours", "textbook Lightning": "textbook"}.get(name, "other")
        described = {"precision": precision, "of_peak": share}
        add_row("lightning-stocks", name, kind, [days / each for each in times], "days/s", **described)


def shortened(data: stocks.Data, config: Config, steps: int) -> stocks.Data:
    """The data with as many training windows as these steps take, and few to validate."""

    def first(windows: Windows, count: int) -> Windows:
        by_row = ("ends", "targets", "base_prices", "scales", "dates", "target_dates", "ticker_ids")
        return dataclasses.replace(windows, **{name: getattr(windows, name)[:count] for name in by_row})

    few = first(data.validation, config.batch_size)
    left_out = config.lookback * len(data.train.tickers)  # see `trainable_ends`
    return dataclasses.replace(data, train=first(data.train, config.batch_size * steps + left_out), validation=few)


def bare(config: Config, data: stocks.Data) -> list[float]:
    """The updates of `Regressor` without Lightning."""
    datamodule = StocksData(config, data)
    module = make_module(config, datamodule).to(DEVICE)
    chosen = module.configure_optimizers()
    optimizer, scheduler = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    clock, tally = TrainerClock(), Tally(4)
    for batch in TrainLoader(datamodule.series("train", DEVICE), datamodule.ends, config):
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=config.precision == "bf16"):
            outputs = module(batch.inputs)
            loss = F.mse_loss(outputs, batch.targets)
        tally.add(error_sums(outputs, batch.targets))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), config.clip)
        optimizer.step()
        scheduler.step()
        clock.tick()
    return clock.seconds(WARM_UP)


def trainer(config: Config, data: stocks.Data) -> list[float]:
    """A run as `train` makes it, without the test and its report."""
    clock, datamodule = TrainerClock(), StocksData(config, data)
    described: dict[str, Any] = {"task": "stocks", "framework": "lightning", "primary": "mae"}
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.start(PROJECT, config, runs_dir=Path(folder), **described) as run,
    ):
        fit(make_module(config, datamodule), datamodule, config, run, monitor=MONITOR, mode="min", callbacks=(clock,))
    return clock.seconds(WARM_UP)


class WindowByWindow(Dataset):
    """What tutorials do: a window and the returns after its last day."""

    def __init__(self, data: stocks.Data) -> None:
        self.windows = data.train
        self.targets = torch.from_numpy((data.train.targets / data.target_scale).astype(np.float32))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        windows = self.windows
        end = windows.ends[row]
        inputs = torch.from_numpy(windows.series[end + 1 - windows.lookback : end + 1])
        return inputs, self.targets[row]


class Textbook(pl.LightningModule):
    def __init__(self, config: Config, features: int) -> None:
        super().__init__()
        self.network = Forecaster(config, features=features)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        inputs, targets = batch
        loss = F.mse_loss(self.network.forecast(inputs), targets)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def textbook(config: Config, data: stocks.Data) -> list[float]:
    """The Trainer with its defaults."""
    loader = DataLoader(WindowByWindow(data), config.batch_size, shuffle=True)
    clock = TrainerClock()
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    with tempfile.TemporaryDirectory() as folder:
        plain = pl.Trainer(max_epochs=1, default_root_dir=folder, callbacks=[clock], **quiet)
        plain.fit(Textbook(config, len(data.features)), loader)
    return clock.seconds(WARM_UP)


def training_flops(config: Config, features: int) -> float:
    """Operations for one day of one window, forward and backward: three products for each weight of gates and heads."""
    widths = [features, *[config.hidden] * (config.layers - 1)]
    weights = sum(4 * config.hidden * (width + config.hidden) for width in widths) + config.hidden * config.horizon
    return 3 * 2 * weights


if __name__ == "__main__":
    main()
