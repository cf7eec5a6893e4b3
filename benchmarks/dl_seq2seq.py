"""Training speed of dl-seq2seq: our loop, the textbook loop on the same network, and the machine's limit, in one run.

`python benchmarks/dl_seq2seq.py [--attention location] [--batch-size 128] [--threads 1] [--seconds 5]`

The textbook loop is the one of most tutorials: every target position embeds its symbol, projects the encoder's outputs
to attention keys again and applies the output layer on its own; batches mix all lengths; the optimizer loops over the
parameters. Both loops are timed in turns of a second, so that a busy machine slows both; rates are medians over these.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable
from itertools import cycle

import numpy as np
import torch
from rows import add_machine, add_row
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from dl_architectures.seq2seq.batches import Batch, Vocabulary, epoch_batches, make_batch
from dl_architectures.seq2seq.config import PRESETS, Config
from dl_architectures.seq2seq.model import Memory, Seq2Seq
from dl_architectures.seq2seq.train import token_loss, train_step
from dl_shared.sample.reversal import make_sequences

CPU = torch.device("cpu")


def textbook_logits(model: Seq2Seq, batch: Batch) -> Tensor:
    """What `model` computes in `forward`, position by position; `(batch, target, vocab)`."""
    memory, state = model.start(batch.source, batch.source_lengths)
    logits = []
    for position in range(batch.inputs.shape[1]):
        keys = model.decoder.attention.key(memory.values)
        now, state = model.step(batch.inputs[:, position], state, Memory(memory.values, keys, memory.mask))
        logits.append(now)
    return torch.stack(logits, dim=1)


def textbook_step(model: Seq2Seq, optimizer: torch.optim.Optimizer, batch: Batch, config: Config) -> None:
    """One update."""
    loss = token_loss(textbook_logits(model, batch), batch.labels)
    optimizer.zero_grad()
    (loss / batch.tokens).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    optimizer.step()


def make_loops(config: Config) -> dict[str, Callable[[], int]]:
    """Name -> a function that makes one update and returns how many sequences it saw."""
    lengths = {"min_length": config.min_length, "max_length": config.max_length}
    data = make_sequences(config.train_size, symbols=config.symbols, **lengths, seed=config.seed)
    ids = Vocabulary(tuple(range(config.symbols))).encode(data)
    by_length = epoch_batches(data.lengths, config.batch_size, seed=0, epoch=0)
    rng = np.random.default_rng(0)
    anyhow = np.split(rng.permutation(len(ids)), range(config.batch_size, len(ids), config.batch_size))
    torch.manual_seed(config.seed)
    ours, textbook = (Seq2Seq(config.model(symbols=config.symbols)) for _ in range(2))
    fused = torch.optim.AdamW(ours.parameters(), lr=1e-3, fused=True)
    looped = torch.optim.AdamW(textbook.parameters(), lr=1e-3, foreach=False)
    our_batches, their_batches = cycle(by_length), cycle(anyhow)

    def our_update() -> int:
        batch = make_batch(ids[next(our_batches)], CPU)
        train_step(ours, fused, batch, None, config)
        return len(batch.source)

    def textbook_update() -> int:
        batch = make_batch(ids[next(their_batches)], CPU)
        textbook_step(textbook, looped, batch, config)
        return len(batch.source)

    return {"our loop": our_update, "textbook loop": textbook_update}


def measure(loops: dict[str, Callable[[], int]], turns: int) -> dict[str, list[float]]:
    """Sequences per second of each loop, a second at a time in turns."""
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for update in loops.values():
        update()
    for _ in range(turns):
        for name, update in loops.items():
            sequences, start = 0, time.perf_counter()
            while (seconds := time.perf_counter() - start) < 1:
                sequences += update()
            rates[name].append(sequences / seconds)
    return rates


def flops_per_sequence(update: Callable[[], int], updates: int = 20) -> float:
    """Matrix-product operations, forward and backward, that one sequence takes on average."""
    with FlopCounterMode(display=False) as counter:
        seen = sum(update() for _ in range(updates))
    return counter.get_total_flops() / seen


def peak_flops(size: int = 1024, seconds: float = 2.0) -> float:
    """The most that square matrix products reach here, operations per second."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--attention", default="location", choices=("location", "bahdanau", "luong"))
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=5, help="for each loop")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = dataclasses.replace(PRESETS["full"], attention=options.attention, batch_size=options.batch_size)
    loops = make_loops(config)
    measured = measure(loops, options.seconds)
    rates = {name: statistics.median(found) for name, found in measured.items()}
    peak, flops = peak_flops(), flops_per_sequence(loops["our loop"])
    print(f"{options.attention} attention, batches of {options.batch_size}, threads: {options.threads}")
    add_machine("cpu", options.threads, ["torch"], {"fp32": peak})
    for name, rate in rates.items():
        kind = {"our loop": "ours", "textbook loop": "textbook"}[name]
        described = {"case": options.attention, "of_peak": rate * flops / peak if kind == "ours" else None}
        add_row("dl-seq2seq", name, kind, measured[name], "sequences/s", **described)
        print(f"{name:14}{rate:8,.0f} sequences/s   {rate / rates['textbook loop']:.2f} x the textbook loop")
    print(f"matrix-product peak {peak / 1e9:.0f} GFLOP/s; our loop makes use of {rates['our loop'] * flops / peak:.0%}")
    print(f"({flops / 1e6:.1f} MFLOP a sequence, forward and backward, matrix products alone)")


if __name__ == "__main__":
    main()
