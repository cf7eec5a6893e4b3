"""What projects that fine-tune a network on pictures let vary, and what CIFAR-10 is.

It imports nothing heavy, so that --help is instant.
"""

from dataclasses import dataclass

from dl_shared.config import TrainConfig
from dl_shared.ranges import BELOW_1, NOT_NEGATIVE, POSITIVE, SHARE, check

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
"""Over the training images of CIFAR-10, of pixels in [0, 1]; red, green, blue."""
AUGMENTATIONS = ("crop", "flip", "erase")
NONE, EMBEDDED = "none", "embedded"


@dataclass(frozen=True, kw_only=True)
class PicturesConfig(TrainConfig):
    """What pre-training and fine-tuning have in common; a project's own derives from it and its package's."""

    image_size: int = 0
    """Height and width to which pictures are enlarged, on the device; 0 takes what the backbone was trained with."""
    augment: tuple[str, ...] = ("crop", "flip")
    """What is done to training pictures: `crop`, `flip`, `erase`; nothing after the flag switches all off."""
    smallest_crop: float = 0.7
    """Height and width of a crop are at least this share of the picture's."""
    erase: float = 0.5
    """The rectangle that `erase` fills with the mean colour has at most this share of height and width."""

    learning_rate: float = 1e-3
    """At its peak."""
    weight_decay: float = 5e-4
    """Of the filters."""
    warmup: float = 0.15
    """Share of the updates in which the learning rate rises from 0; in the others it falls back."""
    label_smoothing: float = 0.1
    """Share of each label spread evenly over all classes, in training only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < 0 or 0 < self.image_size < 32:
            raise ValueError(f"image_size must be 0 or at least 32 pixels, got {self.image_size}")
        if unknown := [name for name in self.augment if name not in AUGMENTATIONS]:
            raise ValueError(f"augment must be of {', '.join(AUGMENTATIONS)}, got {', '.join(unknown)}")
        check(self, SHARE, "smallest_crop", "erase")
        check(self, POSITIVE, "learning_rate")
        check(self, NOT_NEGATIVE, "weight_decay")
        check(self, BELOW_1, "warmup", "label_smoothing")


@dataclass(frozen=True, kw_only=True)
class FineTuningConfig(PicturesConfig):
    """Options of a backbone with a new head."""

    backbone: str = EMBEDDED
    """`embedded`, a name on the hub (microsoft/resnet-18), a folder in the hub's layout, or `none`: random weights."""
    head_epochs: int = 1
    """Epochs in which only the new head learns; in the others all layers do. None of them with `--backbone none`."""
    layer_decay: float = 0.8
    """The learning rate falls by this factor from each stage to the one below it; 1 without a backbone."""
    label_share: float = 1.0
    """Share of the training pictures, class by class, whose labels are used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.backbone:
            raise ValueError("backbone must be embedded, none, a name on the hub, a folder or a file; it is empty")
        if not 0 <= self.head_epochs <= self.epochs:
            raise ValueError(f"head_epochs must be from 0 to epochs ({self.epochs}), got {self.head_epochs}")
        check(self, SHARE, "layer_decay", "label_share")
