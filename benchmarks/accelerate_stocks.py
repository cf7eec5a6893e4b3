"""How fast accelerate-stocks trains and searches: our loop beside the textbook's, in one run.

    python benchmarks/accelerate_stocks.py [--steps N] [--preset cpu]

The first two loops make the same updates of the same network: ours as in a run, with its keeper, its checkpoints and
its log; and a bare one, without Accelerate. The third is that of Accelerate's own examples: a `DataLoader` over windows
cut one by one, a loss on the last day of each, `accelerator.backward`, AdamW as it comes. A step of ours learns from
every day of its windows, so the table counts the days learned from as well. Times are medians over the steps after the
first ten; loops take turns, so that a busy machine slows all. `of peak` is the share of what the same machine
reaches in a large matrix product or convolution.

Then the search: trials per minute of one worker and of two, on one study, start of the processes included.
"""

import argparse
import dataclasses
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import accelerate
import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from rows import add_machine, add_row
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch_peak import matrix_peak

from accelerate_projects.batches import epoch_loader
from accelerate_projects.keeper import Keeper
from accelerate_projects.processes import make_accelerator
from accelerate_projects.stocks import tune
from accelerate_projects.stocks.config import PRESETS, Config
from accelerate_projects.stocks.data import TrainWindows, load_data
from accelerate_projects.stocks.model import Forecaster
from accelerate_projects.stocks.train import fit, make_optimizer
from accelerate_projects.unrecorded import unrecorded_run
from dl_shared.data.windows import Windows
from dl_shared.tasks import stocks
from dl_shared.tasks.options import SearchStocks
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs

WARM_UP = 10
Loop = Callable[[Config, stocks.Data], list[float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=150, help="steps of each loop and turn")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--preset", choices=list(PRESETS), default="cpu")
    parser.add_argument("--trials", type=int, default=8, help="of each search; 0 leaves them out")
    arguments = parser.parse_args()
    config = dataclasses.replace(PRESETS[arguments.preset], data="sample", epochs=1, stride=1, device="cpu")
    torch.set_num_threads(config.threads)
    data = shortened(load_data(config), config, arguments.steps)
    parameters = sum(param.numel() for param in Forecaster(config, features=len(data.features)).parameters())
    peak = matrix_peak("fp32")
    print(
        f"preset {arguments.preset}: {config.cell}, {parameters:,} parameters, batches of {config.batch_size} windows"
        f" of {config.lookback} days; torch {torch.__version__}, accelerate {accelerate.__version__},"
        f" {torch.get_num_threads()} thread, peak {peak / 1e9:.0f} GFLOP/s"
    )
    add_machine("cpu", torch.get_num_threads(), ["torch", "accelerate"], {"fp32": peak})
    loops: dict[str, Loop] = {"ours, as in a run": ours, "the same, bare": bare, "textbook Accelerate": textbook}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(arguments.turns):
        for name, loop in loops.items():
            seconds[name] += loop(config, data)
    print(f"{'':22}{'ms/step':>9}{'steps/s':>9}{'days/s':>12}{'of peak':>9}")
    for name, times in seconds.items():
        step = statistics.median(times)
        days = config.batch_size * (1 if name.startswith("textbook") else config.lookback)
        share = training_flops(config, len(data.features)) * config.batch_size * config.lookback / step / peak
        print(f"{name:22}{1e3 * step:9.2f}{1 / step:9.0f}{days / step:12,.0f}{share:9.1%}")
        kind = {ours: "ours", textbook: "textbook"}.get(loops[name], "other")
        add_row("accelerate-stocks", name, kind, [days / each for each in times], "days/s", of_peak=share)
    for workers in (1, 2) if arguments.trials else ():
        print(f"search by {workers} process(es): {search(arguments.trials, workers):.1f} trials a minute")


def shortened(data: stocks.Data, config: Config, steps: int) -> stocks.Data:
    """The data with as many training windows as these steps take, and few to validate."""

    def first(windows: Windows, count: int) -> Windows:
        by_row = ("ends", "targets", "base_prices", "scales", "dates", "target_dates", "ticker_ids")
        return dataclasses.replace(windows, **{name: getattr(windows, name)[:count] for name in by_row})

    left_out = config.lookback * len(data.train.tickers)  # see `trainable_ends`
    few = first(data.validation, config.batch_size)
    return dataclasses.replace(data, train=first(data.train, config.batch_size * steps + left_out), validation=few)


def training_flops(config: Config, features: int) -> float:
    """Operations for one day of one window: two for each weight forward, and twice that backward."""
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[config.cell]
    sizes = [features] + [config.hidden] * (config.layers - 1)
    weights = sum(gates * config.hidden * (size + config.hidden) for size in sizes) + config.hidden * config.horizon
    return 6.0 * weights


def after_warm_up(moments: list[float]) -> list[float]:
    return [end - start for start, end in itertools.pairwise(moments[WARM_UP:])]


def ours(config: Config, data: stocks.Data) -> list[float]:
    """`train` as it is, without a report; the keeper is asked for the moments."""
    moments: list[float] = []
    counted = Keeper.after_batch

    def after_batch(keeper: Keeper, sums: Tensor) -> None:
        counted(keeper, sums)
        moments.append(time.perf_counter())

    Keeper.after_batch = after_batch  # type: ignore[method-assign]
    try:
        with unrecorded_run() as run:
            fit(config, data, Outputs.of(data, LEVELS), run, make_accelerator(config))
    finally:
        Keeper.after_batch = counted  # type: ignore[method-assign]
    return after_warm_up(moments)


def bare(config: Config, data: stocks.Data) -> list[float]:
    """The same updates, in as few lines as they take."""
    windows = TrainWindows(data, Outputs.of(data, LEVELS), torch.device("cpu"))
    model, moments = Forecaster(config, features=len(data.features)), []
    optimizer = make_optimizer(config, model)
    for batch in epoch_loader(windows, config.batch_size, seed=0):
        loss = F.mse_loss(model(batch.inputs), batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad()
        moments.append(time.perf_counter())
    return after_warm_up(moments)


class WindowByWindow(Dataset):
    """What tutorials do: a window and the returns after its last day."""

    def __init__(self, data: stocks.Data) -> None:
        self.windows = data.train
        self.targets = torch.from_numpy((data.train.targets / data.target_scale).astype(np.float32))

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        windows, end = self.windows, self.windows.ends[row]
        return torch.from_numpy(windows.series[end + 1 - windows.lookback : end + 1]), self.targets[row]


def textbook(config: Config, data: stocks.Data) -> list[float]:
    """The loop of huggingface/accelerate, examples/nlp_example.py, on this network."""
    accelerator = Accelerator(cpu=True)
    model = Forecaster(config, features=len(data.features))
    optimizer = torch.optim.AdamW(params=model.parameters(), lr=config.learning_rate)
    loader = DataLoader(WindowByWindow(data), shuffle=True, batch_size=config.batch_size, drop_last=True)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=len(loader))
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    moments: list[float] = []
    model.train()
    for inputs, targets in loader:
        loss = F.mse_loss(accelerator.unwrap_model(model).forecast(inputs), targets)
        accelerator.backward(loss)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        moments.append(time.perf_counter())
    return after_warm_up(moments)


def search(trials: int, workers: int) -> float:
    """Trials a minute of a search on sample data, from the command to its page; the test is left out."""
    config = dataclasses.replace(PRESETS["quick"], data="sample", device="cpu", epochs=4)
    with tempfile.TemporaryDirectory() as folder:
        options = SearchStocks(trials=trials, workers=workers, runs_dir=Path(folder), test=False)
        start = time.perf_counter()
        tune.search(config, options)
        return 60 * trials / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
