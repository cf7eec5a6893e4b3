"""Options that the trainings of all embedded networks have; imports nothing heavy."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.config import TrainConfig
from dl_shared.paths import make_absolute
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, POSITIVE, check


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(TrainConfig):
    """A training adds its own fields and its presets."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {"output"}

    output: str = ""
    """Folder of the model; `model` in the run's folder unless given."""
    learning_rate: float
    """At the end of the warm-up; from there it falls to a tenth along a cosine."""
    warmup_steps: int = 200
    """Steps over which the learning rate rises."""
    weight_decay: float
    """AdamW's weight decay, of matrices only."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it."""
    log_steps: int = 250
    """Steps between two validations."""
    checkpoint_steps: int = 100
    """Steps between two checkpoints; a kill costs no more work than this."""

    def __post_init__(self) -> None:
        super().__post_init__()
        make_absolute(self, "output")
        check(self, AT_LEAST_1, "log_steps", "checkpoint_steps")
        check(self, POSITIVE, "learning_rate", "clip_norm")
        check(self, NOT_NEGATIVE, "warmup_steps", "weight_decay")
        if self.precision == "fp16":
            raise ValueError("precision must be fp32 or bf16: fp16 would need its loss scaled")
