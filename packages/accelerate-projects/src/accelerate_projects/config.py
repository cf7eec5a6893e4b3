"""The options that all projects of this package have."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.config import TrainConfig
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class AccelerateConfig(TrainConfig):
    """Options of every loop; a project adds its own. `accelerate launch` is told how many processes train."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {"checkpoint_seconds"}

    accumulate: int = 1
    """Parts that a batch is cut into, for batches that do not fit; an update sums the gradients of all parts."""
    checkpoint_seconds: float = 60.0
    """At most this much work is lost by a kill; a checkpoint is also written after every epoch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "accumulate")
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be cut into {self.accumulate} equal parts")
        check(self, NOT_NEGATIVE, "checkpoint_seconds")
