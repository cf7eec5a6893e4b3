"""How much memory a training adds to what its process already had."""

import threading
from types import TracebackType

import psutil
import torch

INTERVAL = 0.01  # seconds between two looks


class PeakMemory:
    """`with PeakMemory(device) as memory: ...`; afterwards `memory.bytes` is the most that was added inside.

    On a GPU the allocator counts. On a CPU the memory of the process is sampled, as in Accelerate's own benchmarks.
    Memory that the process had freed but still holds is not counted when it is used again, so that only the first
    training of a process is measured well.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.bytes = 0

    def __enter__(self) -> "PeakMemory":
        self.before = self._now()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self.ended = threading.Event()
            self.thread = threading.Thread(target=self._watch, daemon=True)
            self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device) - self.before
        else:
            self.ended.set()
            self.thread.join()

    def _watch(self) -> None:
        while not self.ended.wait(INTERVAL):
            self.bytes = max(self.bytes, self._now() - self.before)

    def _now(self) -> int:
        if self.device.type == "cuda":
            return torch.cuda.memory_allocated(self.device)
        return psutil.Process().memory_info().rss
