"""What may vary in a run of xla-cifar10, and its presets."""

from dataclasses import dataclass

from xla_projects.config import XlaConfig

AUGMENTATIONS = ("crop", "flip", "erase")
NONE, EMBEDDED = "none", "embedded"


@dataclass(frozen=True, kw_only=True)
class Config(XlaConfig):
    """Options of `xla-cifar10 train`. The defaults are the recipe for 45,000 pictures on two CPU cores."""

    epochs: int = 4
    """As many updates each as one pass over all training pictures has, whatever share of them is used."""
    batch_size: int = 128
    backbone: str = EMBEDDED
    """`embedded`, a name on the hub (microsoft/resnet-18), a folder in the hub's layout, or `none`: random weights."""
    head_epochs: int = 1
    """Epochs in which only the new head learns; in the others all layers do. None of them with `--backbone none`."""

    image_size: int = 0
    """Height and width to which pictures are enlarged, on the device; 0 takes what the backbone was trained with."""
    augment: tuple[str, ...] = ("crop", "flip")
    """What is done to training pictures: `crop`, `flip`, `erase`; nothing after the flag switches all off."""
    smallest_crop: float = 0.7
    """Height and width of a crop are at least this share of the picture's."""
    erase: float = 0.5
    """The rectangle that `erase` fills with the mean colour has at most this share of height and width."""

    learning_rate: float = 2e-3
    """Of AdamW for the head, at its peak."""
    layer_decay: float = 0.8
    """The learning rate falls by this factor from each stage to the one below it; 1 without a backbone."""
    warmup: float = 0.15
    """Share of the updates in which the learning rates rise from 0; in the others they fall back."""
    weight_decay: float = 0.02
    """Of the filters, per update and learning rate."""
    label_smoothing: float = 0.1
    """Share of each label spread evenly over all classes, in training only."""
    label_share: float = 1.0
    """Share of the training pictures, class by class, whose labels are used."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.backbone:
            raise ValueError("backbone must be embedded, none, a name on the hub or a folder; it is empty")
        if not 0 <= self.head_epochs <= self.epochs:
            raise ValueError(f"head_epochs must be from 0 to epochs ({self.epochs}), got {self.head_epochs}")
        if self.image_size < 0 or 0 < self.image_size < 32:
            raise ValueError(f"image_size must be 0 or at least 32 pixels, got {self.image_size}")
        if unknown := [name for name in self.augment if name not in AUGMENTATIONS]:
            raise ValueError(f"augment must be of {', '.join(AUGMENTATIONS)}, got {', '.join(unknown)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        for name in ("smallest_crop", "erase", "layer_decay", "label_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")

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
