"""How fast accelerate-houses trains its linear model, beside the loop of Accelerate's own examples, and searches.

    python benchmarks/accelerate_houses.py [--data PATH] [--passes N ...] [--turns N] [--trials N]

Both loops fit the same model with the same loss to the same columns. The textbook's is that of `nlp_example.py` in
Accelerate's repository: shuffled batches of 64 from a DataLoader, AdamW, a linear schedule. `distance` is the largest
difference, over the training houses, between the log price at the loop's end and at the optimum, which is known. Loops
take turns, so that a busy machine slows both; seconds are medians over the turns. `of peak` is the share of what a
large matrix product reaches: next to nothing, as a linear model is bound by what a step costs beside its products.
"""

import argparse
import dataclasses
import math
import statistics
import tempfile
import time
from pathlib import Path

import accelerate
import numpy as np
import torch
from accelerate import Accelerator
from rows import add_machine, add_row
from torch.utils.data import DataLoader, TensorDataset
from torch_peak import matrix_peak

from accelerate_projects.houses import robust
from accelerate_projects.houses.config import Config
from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.model import LinearRegression, penalised_loss
from accelerate_projects.houses.preprocessing import Preprocessor
from accelerate_projects.houses.train import fit
from accelerate_projects.houses.tune import search
from accelerate_projects.processes import make_accelerator
from dl_shared.runs import Run
from dl_shared.tasks import houses
from dl_shared.tuning import TuneOptions

TEXTBOOK_BATCH, TEXTBOOK_RATE = 64, 1e-2
DESCRIBED = {"task": "houses", "framework": "accelerate", "primary": "rmse_log"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="`sample` or a path")
    parser.add_argument("--passes", type=int, nargs="+", default=[30, 100, 300, 1000], help="over the training houses")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--penalty", type=float, default=20.0)
    parser.add_argument("--trials", type=int, default=20, help="of the search; 0 leaves it out")
    arguments = parser.parse_args()
    config = Config(data=arguments.data, penalty=arguments.penalty, epochs=1, checkpoint_seconds=3600.0)
    data = houses.load(config.data, seed=config.seed)
    preprocessor = Preprocessor.fit(data.train.features, config.features, config.trim)
    columns, log_prices = preprocessor.transform(data.train.features), np.log(data.train.prices)
    weight, bias = robust.solve(columns, log_prices, config.penalty, config.threshold)
    optimum = columns @ weight + bias
    print(
        f"{len(columns):,} houses, {columns.shape[1]} columns; torch {torch.__version__}, accelerate"
        f" {accelerate.__version__}, threads: {torch.get_num_threads()}"
    )
    peak = matrix_peak("fp32")
    add_machine("cpu", torch.get_num_threads(), ["torch", "accelerate"], {"fp32": peak})
    print(f"{'loop':12}{'passes':>8}{'steps':>8}{'steps/s':>10}{'seconds':>10}{'of peak':>10}{'distance':>12}")
    for passes in arguments.passes:
        ours = dataclasses.replace(config, passes=passes)
        loops = {"ours": our_loop, "textbook": textbook_loop}
        times: dict[str, list[float]] = {name: [] for name in loops}
        ends: dict[str, tuple[LinearRegression, int]] = {}  # alike in each turn
        for _ in range(arguments.turns):
            for name, loop in loops.items():
                model, steps, seconds = loop(ours, preprocessor, data, columns, log_prices)
                ends[name] = model, steps
                times[name].append(seconds)
        for name, (model, steps) in ends.items():
            with torch.inference_mode():
                predicted = model(torch.tensor(columns, dtype=torch.float32)).double().numpy()
            distance = np.abs(predicted - optimum).max()
            seconds = statistics.median(times[name])
            share = 4.0 * columns.size * passes / seconds / peak  # of a weight, two forwards and two backwards
            print(
                f"{name:12}{passes:8,}{steps:8,}{steps / seconds:10,.0f}{seconds:10.2f}{share:10.2%}{distance:12.2e}",
                flush=True,
            )
            rates = [passes * len(columns) / each for each in times[name]]
            add_row("accelerate-houses", name, name, rates, "houses/s", case=f"{passes} passes", of_peak=share)
    if arguments.trials:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            search(config, TuneOptions(trials=arguments.trials, runs_dir=Path(folder)))
        print(f"search: {60 * arguments.trials / (time.perf_counter() - start):.0f} trials a minute, one process")


def our_loop(
    config: Config, preprocessor: Preprocessor, data: houses.Data, columns: np.ndarray, log_prices: np.ndarray
) -> tuple[LinearRegression, int, float]:
    """As `train` runs it: the model, how many updates, and seconds."""
    accelerator = make_accelerator(config)
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.start("accelerate-houses", config, **DESCRIBED, runs_dir=Path(folder)) as run,
    ):
        model = fit(config, preprocessor, PriceRange({}, {}, None), data.train, data.validation, run, accelerator)
    return model.cpu(), config.passes, run.summary["cost"]["train_seconds"]


def textbook_loop(
    config: Config, preprocessor: Preprocessor, data: houses.Data, columns: np.ndarray, log_prices: np.ndarray
) -> tuple[LinearRegression, int, float]:
    """As Accelerate's examples have it."""
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(config.seed)
    dataset = TensorDataset(*(torch.tensor(values, dtype=torch.float32) for values in (columns, log_prices)))
    loader = DataLoader(dataset, batch_size=TEXTBOOK_BATCH, shuffle=True)
    model = LinearRegression(columns.shape[1], mean=float(log_prices.mean()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=TEXTBOOK_RATE, weight_decay=0.0)
    steps = config.passes * math.ceil(len(columns) / TEXTBOOK_BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    model, optimizer, loader, schedule = accelerator.prepare(model, optimizer, loader, schedule)
    start = time.perf_counter()
    for _ in range(config.passes):
        model.train()
        for features, targets in loader:
            counted = torch.ones_like(targets)
            errors, shrinkage = penalised_loss(
                model(features), targets, counted, model.weight, config.penalty, config.threshold
            )
            accelerator.backward(errors / len(targets) + shrinkage / len(columns))
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    seconds = time.perf_counter() - start
    accelerator.free_memory()
    return model, steps, seconds


if __name__ == "__main__":
    main()
