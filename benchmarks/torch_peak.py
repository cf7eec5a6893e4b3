"""The device of PyTorch benchmarks, and the rate at which it multiplies matrices."""

import time

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def matrix_peak(precision: str, size: int = 2048) -> float:
    """Operations per second of a square matrix product, the best of ten."""
    matrix = torch.ones(size, size, dtype=DTYPES[precision], device=DEVICE)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        (matrix @ matrix).sum().item()
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / min(seconds)
