"""What the machine can do, and what a process has used of it, for the benchmarks of the JAX projects.

python benchmarks/jax_machine.py
"""

import resource
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from rows import add_machine

PRECISIONS = {"fp32": jnp.float32, "bf16": jnp.bfloat16}


def matrix_peak(precision: str, size: int = 2048) -> float:
    """Operations per second of a square matrix product with float32 sums, the best of ten.

    Args:
        precision: of the factors, `fp32` or `bf16`.
        size: rows and columns of each factor.
    """
    matrix = jnp.ones((size, size), PRECISIONS[precision])
    product = jax.jit(lambda a: jnp.matmul(a, a, preferred_element_type=jnp.float32))
    product(matrix).block_until_ready()
    return 2 * size**3 / min(time_calls(lambda: product(matrix), 10))


def time_calls(work: Callable[[], Any], calls: int) -> list[float]:
    """Seconds that each call takes, until the arrays that it returns are there."""
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        jax.block_until_ready(work())
        seconds.append(time.perf_counter() - start)
    return seconds


def time_steps(one_step: Callable[[], Any], steps: int, turns: int) -> tuple[float, list[float]]:
    """Seconds that a jitted call takes to compile, and a step in each turn, for a loop that calls it once a step.

    Args:
        one_step: makes a step, and returns arrays that are there when it is done.
        steps: to time in a turn, after the first of all.
        turns: how often to time them.
    """

    def some_steps() -> Any:
        for _ in range(steps):
            arrays = one_step()
        return arrays

    [first_seconds] = time_calls(one_step, 1)
    seconds = [turn / steps for turn in time_calls(some_steps, turns)]
    return first_seconds - statistics.median(seconds), seconds


def process_peak_memory() -> int:
    """Bytes: the most that the default device has held, or this process where the device keeps no count.

    It never falls, so rows of a table that are to be compared each need a process of their own.
    """
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return statistics["peak_bytes_in_use"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def machine_line() -> str:
    """The device, the version of JAX and the two peaks, for the head of a table and for that of all benchmarks."""
    peaks = {name: matrix_peak(name) for name in PRECISIONS}
    device = jax.devices()[0].device_kind
    add_machine(device, None, ["jax", "flax"], peaks)
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    return f"{device}, jax {jax.__version__}, matrix product in GFLOP/s: {found}"


if __name__ == "__main__":
    print(machine_line())
    print(f"peak memory so far: {process_peak_memory() / 1e6:.0f} MB")
