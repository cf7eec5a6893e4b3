"""The options that every training command has."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from dl_shared.paths import user_path

Device = Literal["auto", "cpu", "gpu", "tpu"]
Precision = Literal["fp32", "bf16", "fp16"]


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Options every project has; a project adds its own fields and its presets."""

    changeable: ClassVar[frozenset[str]] = frozenset({"device"})
    """Options that may be others when a run is resumed: they say where to compute, and not what."""

    data: str = "hub"
    """`sample` (made on the spot), `hub` (the public source), or a path."""
    epochs: int
    """Passes over the training data."""
    batch_size: int
    """Examples per step."""
    seed: int = 0
    """Fixes the data order, the initial weights and all other randomness."""
    device: Device = "auto"
    """Where to compute; `auto` takes the best there is."""
    precision: Precision = "fp32"
    """Number format of the forward and backward pass."""

    def __post_init__(self) -> None:
        if self.data not in ("sample", "hub"):  # absolute, so that a run can be resumed from another folder
            object.__setattr__(self, "data", str(user_path(self.data).absolute()))
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
