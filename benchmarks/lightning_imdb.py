"""How fast lightning-imdb fine-tunes: what batches by length, bfloat16, compilation and the Trainer cost or bring.

    python benchmarks/lightning_imdb.py [--data PATH] [--max-length N] [--steps N] [--compile] [--f1]

Every loop makes steps of the same network (MiniLM) from the same reviews, cut to 512 tokens unless told otherwise:
`samples/s` are reviews per second, over the steps after the first ones. The bare loop and the Trainer, with
the loggers, callbacks and checkpoints of a real run, make the same updates. Loops take turns, so that a busy machine
slows all. `of peak` is the share of the rate at which the same machine multiplies two large matrices in that format,
counting what padding costs as work too. With --f1 both kinds of batches are trained to the end and tested: the same
reviews, options and steps, so that speed is compared at the F1 it leads to.
"""

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback
from rows import add_row
from torch import nn
from torch_machine import DEVICE, DTYPES, TrainerClock, machine_line, matrix_peak

from dl_shared.runs import Run, read_summary
from dl_shared.schedules import warmup_linear
from dl_shared.tasks import imdb
from lightning_projects.exact import Tally
from lightning_projects.fitting import fit
from lightning_projects.imdb.config import PRESETS, Config
from lightning_projects.imdb.data import ImdbData, TokenizedReviews, TrainLoader, load_reviews
from lightning_projects.imdb.model import count_layers, load_pretrained
from lightning_projects.imdb.module import batch_sums
from lightning_projects.imdb.optimizer import make_optimizer
from lightning_projects.imdb.train import make_module, train

WARM_UP = 2
KINDS = {"Trainer, as in a run": "ours", "Trainer, fp32": "ours", "Trainer, padded to the maximum": "textbook"}


class ReviewClock(TrainerClock):
    """How many reviews, and positions of the network's input, each step had."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, int]] = []

    def tick(self, batch: Any = None) -> None:
        super().tick()
        self.sizes.append((batch.reviews, sum(part.input_ids.numel() for part in batch.parts)))

    def rates(self) -> tuple[float, float]:
        """Reviews and positions per second, over all steps after the first ones."""
        timed = self.sizes[WARM_UP:]
        seconds = sum(self.seconds(WARM_UP - 1))
        return sum(reviews for reviews, _ in timed) / seconds, sum(size for _, size in timed) / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="`sample` or a path")
    parser.add_argument("--reviews", type=int, default=512, help="of them, to learn from")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--steps", type=int, default=6, help="timed steps of each loop and turn")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--f1", action="store_true", help="train both kinds of batches to the end")
    parser.add_argument("--compile", action="store_true", help="also time torch.compile")
    arguments = parser.parse_args()
    chosen = {"data": arguments.data, "train_reviews": arguments.reviews, "max_length": arguments.max_length}
    base = dataclasses.replace(PRESETS["cpu"], **chosen)
    data = load_reviews(base)
    peaks = {precision: matrix_peak(precision) for precision in DTYPES}
    print(machine_line(peaks))
    variants = {
        "bare loop": (bare, base),
        "Trainer, as in a run": (in_trainer, base),
        "Trainer, padded to the maximum": (in_trainer, dataclasses.replace(base, batches="padded")),
        "Trainer, fp32": (in_trainer, dataclasses.replace(base, precision="fp32")),
        "Trainer, no dropout": (in_trainer, dataclasses.replace(base, dropout=0.0)),
        "Trainer, attention dropout": (in_trainer, dataclasses.replace(base, attention_dropout=0.1)),
    }
    if arguments.compile:
        variants["Trainer, compiled"] = (in_trainer, dataclasses.replace(base, compile=True))
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for _ in range(arguments.turns):
        for name, (loop, config) in variants.items():
            measured[name].append(loop(config, data, arguments.steps + WARM_UP))
    flops = flops_of_a_position(base, data)
    print(f"{'':32}{'samples/s':>10}{'to padded':>11}{'of peak':>9}")
    padded = statistics.median(rate for rate, _ in measured["Trainer, padded to the maximum"])
    for name, rates in measured.items():
        samples, positions = (statistics.median(column) for column in zip(*rates, strict=True))
        config = variants[name][1]
        share = positions * flops / peaks[config.precision]
        print(f"{name:32}{samples:10.1f}{samples / padded:11.2f}{share:9.1%}", flush=True)
        loop, reviews = name.removesuffix(", fp32"), [rate for rate, _ in rates]
        described = {"precision": config.precision, "of_peak": share}
        add_row("lightning-imdb", loop, KINDS.get(name, "other"), reviews, "reviews/s", **described)
    if arguments.f1:
        for kind in ("length", "padded"):
            print(f"{kind}: {trained_to_the_end(dataclasses.replace(base, batches=kind))}", flush=True)


def prepared(config: Config, data: imdb.Data) -> tuple[nn.Module, ImdbData]:
    network, tokenizer = load_pretrained(config, data.train.texts)
    return network, ImdbData(config, data, tokenizer)


def bare(config: Config, data: imdb.Data, steps: int) -> tuple[float, float]:
    """The updates of `Classifier` without Lightning."""
    network, datamodule = prepared(config, data)
    network.to(DEVICE).train()
    optimizer = make_optimizer(network, count_layers(network), config)
    reviews = TokenizedReviews(
        datamodule.train_tokens, data.train, datamodule.tokenizer.pad_token_id, rank=0, world_size=1
    )
    loader, clock, tally = TrainLoader(reviews, config), ReviewClock(), Tally(5)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: warmup_linear(i, len(loader), config.warmup))
    for number, step in enumerate(loader):
        if number == steps:
            break
        for part in step.parts:
            with torch.autocast(DEVICE.type, torch.bfloat16, enabled=config.precision == "bf16"):
                ids, mask = part.input_ids.to(DEVICE), part.mask.to(DEVICE)
                logits = network(input_ids=ids, attention_mask=mask.long()).logits.float()
            losses = F.cross_entropy(logits, part.labels.to(DEVICE), reduction="none")
            (losses.sum() / step.reviews).backward()
            tally.add(batch_sums(losses, logits, part.labels.to(DEVICE), part.weights.to(DEVICE)))
        nn.utils.clip_grad_norm_(network.parameters(), config.clip)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        clock.tick(step)
    return clock.rates()


class Stopping(Callback):
    """Ends the epoch after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step >= self.steps:
            raise KeyboardInterrupt


def in_trainer(config: Config, data: imdb.Data, steps: int) -> tuple[float, float]:
    """A run as `train` makes it, stopped after so many steps."""
    network, datamodule = prepared(config, data)
    clock = ReviewClock()
    with tempfile.TemporaryDirectory() as folder:
        described = {"task": "imdb", "framework": "lightning", "primary": "f1"}
        try:
            with Run.start("lightning-imdb", config, runs_dir=Path(folder), **described) as run:
                module = make_module(config, network, datamodule)
                callbacks = (clock, Stopping(steps))
                fit(module, datamodule, config, run, monitor="validation/f1", callbacks=callbacks)
        except (KeyboardInterrupt, SystemExit):
            pass
    return clock.rates()


def trained_to_the_end(config: Config) -> str:
    with tempfile.TemporaryDirectory() as folder:
        summary = read_summary(train(config, runs_dir=Path(folder)))
    test, cost = summary["metrics"]["test"], summary["cost"]
    low, high = test["f1_ci"]
    return f"F1 {test['f1']:.4f} ({low:.4f} to {high:.4f}), {cost['examples_per_second']:.1f} samples/s"


def flops_of_a_position(config: Config, data: imdb.Data) -> float:
    """Operations for one position of a text of max_length, forward and backward, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    network, _ = load_pretrained(config, data.train.texts)
    ids = torch.ones(2, config.max_length, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        network(input_ids=ids).logits.sum().backward()
    return counter.get_total_flops() / ids.numel()


if __name__ == "__main__":
    main()
