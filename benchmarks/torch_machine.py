"""What the machine can do, and when steps ended, for the benchmarks of the Lightning projects.

python benchmarks/torch_machine.py
"""

import itertools
import time
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from rows import add_machine
from torch_peak import DEVICE, DTYPES, matrix_peak

__all__ = ["DEVICE", "DTYPES", "Clock", "machine_line", "matrix_peak"]


class Clock(Callback):
    """The moments at which steps ended, in a Trainer, or in a loop that calls `tick`."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        self.tick(batch)

    def tick(self, batch: Any = None) -> None:
        """The step that learned from this batch has ended."""
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        self.moments.append(time.perf_counter())

    def seconds(self, warm_up: int) -> list[float]:
        """What each step took, the first ones left out."""
        after = self.moments[warm_up:]
        return [end - start for start, end in itertools.pairwise(after)]


def machine_line(peaks: dict[str, float]) -> str:
    """The device, the versions and the peaks, for the head of a table and for that of all benchmarks."""
    add_machine(DEVICE.type, torch.get_num_threads(), ["torch", "pytorch-lightning"], peaks)
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    threads = f"{torch.get_num_threads()} threads, " if DEVICE.type == "cpu" else ""
    return f"{DEVICE}, {threads}torch {torch.__version__}, pytorch-lightning {pl.__version__}, peak in GFLOP/s: {found}"


if __name__ == "__main__":
    print(machine_line({precision: matrix_peak(precision) for precision in DTYPES}))
