"""The options that all projects of this package have."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from dl_shared.config import TrainConfig
from dl_shared.ranges import NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class FlaxConfig(TrainConfig):
    """Options of the loop and of the devices; a project adds its own."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {"devices", "distributed", "checkpoint_seconds"}

    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the forward and backward pass; weights, sums and statistics stay in fp32."""
    devices: int = 0
    """How many devices share each batch; 0 for all there are."""
    distributed: bool = False
    """Join the processes started on other devices or hosts, see the README."""
    chunk_steps: int = 0
    """Steps in one call of the compiled program, between looks at Ctrl-C; 0 takes a whole epoch."""
    checkpoint_seconds: float = 60.0
    """At most this much work is lost by a kill; a checkpoint is also written after every epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {self.precision}")
        check(self, NOT_NEGATIVE, "devices", "chunk_steps", "checkpoint_seconds")
        if self.distributed and self.devices:
            raise ValueError("devices cannot be chosen beside distributed, which takes all of every process")
