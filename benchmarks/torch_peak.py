"""The device of PyTorch benchmarks, what it can reach, and when steps on it end."""

import itertools
import time
from typing import Any

import torch
import torch.nn.functional as F

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def matrix_peak(precision: str) -> float:
    """Operations per second of a large matrix product or convolution, whichever is faster, the best of ten.

    On a processor the two are different libraries', and which of them knows its units better depends on its make.
    """
    make = {"dtype": DTYPES[precision], "device": DEVICE}
    matrix = torch.ones(2048, 2048, **make)
    images = torch.ones(16, 256, 32, 32, **make).contiguous(memory_format=torch.channels_last)
    filters = torch.ones(256, 256, 3, 3, **make).contiguous(memory_format=torch.channels_last)
    product = 2 * 2048**3, lambda: matrix @ matrix
    convolution = 2 * filters.numel() * images[:, 0].numel(), lambda: F.conv2d(images, filters, padding=1)
    rates = []
    for operations, compute in (product, convolution):
        for _ in range(10):
            start = time.perf_counter()
            compute()[0, 0].sum().item()  # waits for the device
            rates.append(operations / (time.perf_counter() - start))
    return max(rates)


class Clock:
    """The moments at which steps ended."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def tick(self, batch: Any = None) -> None:
        """The step that learned from this batch has ended."""
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        self.moments.append(time.perf_counter())

    def seconds(self, warm_up: int) -> list[float]:
        """What each step took, the first ones left out."""
        return [end - start for start, end in itertools.pairwise(self.moments[warm_up:])]
