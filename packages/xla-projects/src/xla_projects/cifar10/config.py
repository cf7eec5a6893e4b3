"""What may vary in a run of xla-cifar10, and its presets."""

from dataclasses import dataclass

from dl_shared.tasks.cifar10_config import NONE, FineTuningConfig
from xla_projects.config import XlaConfig


@dataclass(frozen=True, kw_only=True)
class Config(FineTuningConfig, XlaConfig):
    """Options of `xla-cifar10 train`. The defaults are the recipe for 45,000 pictures on two CPU cores."""

    epochs: int = 4
    """As many updates each as one pass over all training pictures has, whatever share of them is used."""
    batch_size: int = 128

    learning_rate: float = 2e-3
    """Of AdamW for the head, at its peak."""
    weight_decay: float = 0.02
    """Of the filters, per update and learning rate."""

    @property
    def learns_head_first(self) -> int:
        """Epochs in which the body's learning rate is 0."""
        return 0 if self.backbone == NONE else self.head_epochs

    @property
    def stage_decay(self) -> float:
        """`layer_decay`, where there is something to be kept."""
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
