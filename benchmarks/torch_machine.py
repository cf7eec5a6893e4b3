"""What the machine can do, and when steps ended, for the benchmarks of the Lightning projects.

python benchmarks/torch_machine.py
"""

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from rows import add_machine
from torch_peak import DEVICE, DTYPES, Clock, matrix_peak

__all__ = ["DEVICE", "DTYPES", "TrainerClock", "machine_line", "matrix_peak"]


class TrainerClock(Clock, Callback):
    """The moments at which the steps of a Trainer ended, or those of a loop that calls `tick`."""

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int) -> None:
        self.tick(batch)


def machine_line(peaks: dict[str, float]) -> str:
    """The device, the versions and the peaks, for the head of a table and for that of all benchmarks."""
    add_machine(DEVICE.type, torch.get_num_threads(), ["torch", "pytorch-lightning"], peaks)
    found = ", ".join(f"{name} {peak / 1e9:.0f}" for name, peak in peaks.items())
    threads = f"{torch.get_num_threads()} threads, " if DEVICE.type == "cpu" else ""
    return f"{DEVICE}, {threads}torch {torch.__version__}, pytorch-lightning {pl.__version__}, peak in GFLOP/s: {found}"


if __name__ == "__main__":
    print(machine_line({precision: matrix_peak(precision) for precision in DTYPES}))
