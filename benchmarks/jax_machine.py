"""What the machine can do, and what a process has used of it, for the benchmarks of the JAX projects.

python benchmarks/jax_machine.py
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

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
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        product(matrix).block_until_ready()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)


def time_steps(one_step: Callable[[], Any], steps: int) -> tuple[float, float]:
    """Seconds that a jitted call takes to compile, and a step after that, for a loop that calls it once a step.

    Args:
        one_step: makes a step, and returns arrays that are there when it is done.
        steps: to time, after the first.
    """
    start = time.perf_counter()
    jax.block_until_ready(one_step())
    first_seconds = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(steps):
        arrays = one_step()
    jax.block_until_ready(arrays)
    seconds = (time.perf_counter() - start) / steps
    return first_seconds - seconds, seconds


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
    """The device, the version of JAX and the two peaks, for the head of a table."""
    peaks = ", ".join(f"{name} {matrix_peak(name) / 1e9:.0f}" for name in PRECISIONS)
    return f"{jax.devices()[0].device_kind}, jax {jax.__version__}, matrix product in GFLOP/s: {peaks}"


if __name__ == "__main__":
    print(machine_line())
    print(f"peak memory so far: {process_peak_memory() / 1e6:.0f} MB")
