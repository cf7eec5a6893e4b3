"""What may vary in a run of xla-cifar10, and its presets."""

from dataclasses import dataclass

from dl_shared.tasks.cifar10_config import NONE, FineTuningConfig
from xla_projects.config import XlaConfig


@dataclass(frozen=True, kw_only=True)
class Config(FineTuningConfig, XlaConfig):
    """Options of `xla-cifar10 train`. The defaults are the recipe for 45,000 pictures on two CPU cores."""

    epochs: int = 4
    """Each has as many updates as a pass over all training pictures, whatever share of them is used."""
    batch_size: int = 128

    learning_rate: float = 2e-3
    """Of AdamW for the head, at its peak."""
    weight_decay: float = 0.02
    """Of filters; biases and normalisations do not decay."""

    @property
    def head_only_epochs(self) -> int:
        """Epochs in which only the head learns; none from scratch."""
        return 0 if self.backbone == NONE else self.head_epochs

    @property
    def stage_decay(self) -> float:
        """`layer_decay`; 1 from scratch."""
        return 1.0 if self.backbone == NONE else self.layer_decay


PRESETS = {
    # The embedded backbone, enlarged to the size it was trained with.
    "cpu": Config(),
    # A minute on two cores, start, compilation, baseline and pictures included; meant for `--data sample`.
    "quick": Config(epochs=1, batch_size=64, head_epochs=0, learning_rate=4e-3, layer_decay=1.0, augment=("flip",)),
    # For a TPU.
    "full": Config(
        backbone="microsoft/resnet-50", image_size=160, epochs=20, batch_size=512, precision="bf16", devices=0
    ),
}
