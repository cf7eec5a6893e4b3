"""What an LSTM costs on XLA: scanned, unrolled as torch_xla does it, and beside eager PyTorch, in one run.

    python benchmarks/xla_recurrent.py [--time-steps 16 32 64 128 256 512] [--limit 45] [--output results.json]

Each row is a process of its own, so that nothing has been compiled or recorded before. It makes the same updates of the
same network on XLA and eagerly on the host: forward, backward, and a plain step along the gradient, which leaves the
layers to be the cost. `first` is the first update, all included, and `compile` what XLA itself says it took of that.
`step` and `eager` are medians of updates made in turns, so that a busy machine slows both, and `host` is the part of a
step in which Python records it. Of a scan these come from several processes: `first`, `compile` and `host` are the
least, the others those of the process in the middle. An unrolled network that has not made all its updates within the
limit is given up, and with it those of more time steps.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rows import add_machine, add_row
from torch_peak import matrix_peak

RATE = 0.1
COLUMNS = ("first", "compile", "step", "host", "eager")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--time-steps", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512])
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--features", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--updates", type=int, default=20, help="of each network, after the first")
    parser.add_argument("--processes", type=int, default=1, help="for each row of scans")
    parser.add_argument("--limit", type=float, default=45.0, help="seconds for an unrolled network")
    parser.add_argument("--output", type=Path, help="a JSON file of all figures")
    parser.add_argument("--child", choices=("scan", "unrolled"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure(arguments, arguments.time_steps[0])))
        return
    peak = matrix_peak("fp32")
    print(
        f"{arguments.layers} layers of {arguments.hidden}, batches of {arguments.batch_size}, {os.cpu_count()} cores,"
        f" {platform.machine()}, matrix product {peak / 1e9:.0f} GFLOP/s; first and compile in s, the others in ms"
    )
    print(f"{'':10}{'time steps':>11}{''.join(f'{name:>9}' for name in COLUMNS)}{'to eager':>10}{'of peak':>10}")
    add_machine("XLA", None, ["torch", "torch_xla"], {"fp32": peak})
    results = []
    for kind in ("scan", "unrolled"):
        for time_steps in sorted(arguments.time_steps):
            limit, processes = (None, arguments.processes) if kind == "scan" else (arguments.limit, 1)
            rows = [row for _ in range(processes) if (row := in_a_process(kind, time_steps, limit))]
            if not rows:
                print(f"{kind:10}{time_steps:11}  not within {arguments.limit:.0f} s; more time steps are left out")
                break
            found = sorted(rows, key=lambda row: row["step"] / row["eager"])[len(rows) // 2]
            found |= {name: min(row[name] for row in rows) for name in ("first", "compile", "host")}
            repeats = found.pop("repeats")
            results.append({"kind": kind, "time_steps": time_steps, **found})
            figures = "".join(f"{found[name]:9.2f}" for name in COLUMNS)
            share = (
                arguments.batch_size * training_flops(arguments, time_steps) / peak
            )  # of a second of peak, an update
            shares = {times: share / (found[times] / 1e3) for times in ("step", "eager")}
            print(
                f"{kind:10}{time_steps:11}{figures}{found['step'] / found['eager']:10.2f}{shares['step']:10.1%}",
                flush=True,
            )
            loops = {"LSTM, scan": ("ours", "step"), "LSTM, eager": ("eager", "eager")}
            for name, (role, times) in loops.items() if kind == "scan" else [("LSTM, unrolled", ("textbook", "step"))]:
                rates = [1e3 * arguments.batch_size / each for each in repeats[times]]
                case = f"{time_steps} time steps"
                add_row("xla-stocks", name, role, rates, "sequences/s", case=case, of_peak=shares[times])
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1))


def training_flops(arguments: argparse.Namespace, time_steps: int) -> float:
    """Of the matrix products of a sequence; the backward pass has twice those of the forward pass."""
    inputs = arguments.features + (arguments.layers - 1) * arguments.hidden  # of all layers
    products = 4 * arguments.hidden * (inputs + arguments.layers * arguments.hidden)
    return 3 * 2 * products * time_steps


def in_a_process(kind: str, time_steps: int, limit: float | None) -> dict[str, Any] | None:
    """The figures of one row, or None if the time was over."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", kind, "--time-steps", str(time_steps)]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout.splitlines()[-1])


def measure(arguments: argparse.Namespace, time_steps: int) -> dict[str, Any]:
    """Seconds of the first update on XLA, and milliseconds of later ones on XLA and on the host; `repeats` has each."""
    import torch
    from torch import Tensor, nn
    from torch_xla.debug import metrics

    from xla_projects import LSTM
    from xla_projects.config import XlaConfig
    from xla_projects.device import start_device

    device = start_device(XlaConfig(epochs=1, batch_size=1, device="cpu"))
    torch.manual_seed(0)
    shape = (arguments.features, arguments.hidden, arguments.layers)
    eager = nn.LSTM(*shape)
    network = device.to((LSTM if arguments.child == "scan" else nn.LSTM)(*shape))
    series = torch.randn(time_steps, arguments.batch_size, arguments.features)
    targets = torch.randn(time_steps, arguments.batch_size, arguments.hidden)
    recorded: list[float] = []

    def update(network: nn.Module, series: Tensor, targets: Tensor) -> None:
        network.zero_grad()
        (network(series)[0] - targets).square().mean().backward()
        with torch.no_grad():
            for param in network.parameters():
                param.sub_(param.grad, alpha=RATE)

    def record(*given: Tensor) -> None:
        begun = time.perf_counter()
        update(network, *given)
        recorded.append(time.perf_counter() - begun)

    compiled, given = device.compiled(record), [device.put(tensor) for tensor in (series, targets)]

    def on_xla() -> None:
        compiled(*given)
        device.wait()

    first = seconds(on_xla)
    compile_seconds = metrics.metric_data("CompileTime")[1] / 1e9
    update(eager, series, targets)
    xla_times, eager_times = [], []
    for _ in range(arguments.updates):
        xla_times.append(seconds(on_xla))
        eager_times.append(seconds(lambda: update(eager, series, targets)))
    assert metrics.metric_data("CompileTime")[0] == 1
    medians = [1e3 * statistics.median(times) for times in (xla_times, recorded[1:], eager_times)]
    repeats = {"step": [1e3 * each for each in xla_times], "eager": [1e3 * each for each in eager_times]}
    return dict(zip(COLUMNS, (first, compile_seconds, *medians), strict=True)) | {"repeats": repeats}


def seconds(work: Callable[[], None]) -> float:
    """That it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
