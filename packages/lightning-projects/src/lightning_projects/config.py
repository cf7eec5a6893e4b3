"""The options that all projects of this package have."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from dl_shared.config import TrainConfig
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class LightningConfig(TrainConfig):
    """Options of the Trainer; a project adds its own."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {
        "devices",
        "strategy",
        "num_nodes",
        "checkpoint_seconds",
    }

    devices: int = 0
    """Processes on each host, one for each device; 0 lets Lightning choose: all GPUs, or one process on a CPU."""
    strategy: Literal["auto", "ddp"] = "auto"
    """How processes train as one; `ddp` averages the gradients of equal shares of each batch."""
    num_nodes: int = 1
    """Hosts. More than one need torchrun or Slurm to start the processes, see the README."""
    checkpoint_seconds: float = 60.0
    """At most this much work is lost by a kill; a checkpoint is also written after every epoch."""
    patience: int = 0
    """Stop after this many epochs without a better validation score; 0 never stops early."""
    wandb: bool = False
    """Log to Weights & Biases as well; needs `pip install wandb`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision not in ("fp32", "bf16", "fp16"):
            raise ValueError(f"precision must be fp32, bf16 or fp16, got {self.precision}")
        check(self, NOT_NEGATIVE, "devices", "checkpoint_seconds", "patience")
        check(self, AT_LEAST_1, "num_nodes")
