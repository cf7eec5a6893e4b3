"""The options that all projects of this package have."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from dl_shared.config import TrainConfig
from dl_shared.paths import make_absolute
from dl_shared.ranges import NOT_NEGATIVE, check


@dataclass(frozen=True, kw_only=True)
class XlaConfig(TrainConfig):
    """Options of every loop; a project adds its own."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {"devices", "checkpoint_seconds", "compile_cache"}

    precision: Literal["fp32", "bf16"] = "fp32"
    devices: int = 1
    """Devices that share each batch; a CPU counts as so many, 0 takes all of a TPU host."""
    checkpoint_seconds: float = 60.0
    """At most this much work is lost by a kill; a checkpoint is also written after every epoch."""
    compile_cache: str | None = None
    """Folder that keeps compiled programs for the next start; only on a TPU, as a CPU cannot read them back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, NOT_NEGATIVE, "devices")
        if self.devices and self.batch_size % self.devices:
            raise ValueError(f"batch_size {self.batch_size} cannot be cut into {self.devices} equal parts")
        check(self, NOT_NEGATIVE, "checkpoint_seconds")
        make_absolute(self, "compile_cache")
