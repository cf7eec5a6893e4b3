"""What may vary in a run of accelerate-cifar10, and its presets."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from accelerate_projects.config import AccelerateConfig

AUGMENTATIONS = ("crop", "flip", "erase")
NONE, EMBEDDED = "none", "embedded"


@dataclass(frozen=True, kw_only=True)
class PicturesConfig(AccelerateConfig):
    """What pre-training and fine-tuning have in common."""

    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    batch_size: int = 256
    """Pictures per update, of all processes and parts together."""

    image_size: int = 0
    """Height and width to which pictures are enlarged, on the device; 0 takes what the backbone was trained with."""
    augment: tuple[str, ...] = ("crop", "flip")
    """What is done to training pictures: `crop`, `flip`, `erase`; nothing after the flag switches all off."""
    smallest_crop: float = 0.7
    """Height and width of a crop are at least this share of the picture's."""
    erase: float = 0.5
    """The rectangle that `erase` fills with the mean colour has at most this share of height and width."""

    learning_rate: float = 0.1
    """Of SGD with Nesterov's momentum, at its peak."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    """Added to the gradient of a filter, times the filter."""
    warmup: float = 0.15
    """Share of the updates in which the learning rate rises from 0; in the others it falls back."""
    label_smoothing: float = 0.1
    """Share of each label spread evenly over all classes, in training only."""
    ema: float = 0.0
    """Decay per update of the average of the weights that is validated and tested; 0 takes the weights themselves."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size < 0 or 0 < self.image_size < 32:
            raise ValueError(f"image_size must be 0 or at least 32 pixels, got {self.image_size}")
        if unknown := [name for name in self.augment if name not in AUGMENTATIONS]:
            raise ValueError(f"augment must be of {', '.join(AUGMENTATIONS)}, got {', '.join(unknown)}")
        for name in ("smallest_crop", "erase"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if self.weight_decay < 0:
            raise ValueError(f"weight_decay must not be negative, got {self.weight_decay}")
        for name in ("momentum", "warmup", "label_smoothing", "ema"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class Config(PicturesConfig):
    """Options of `accelerate-cifar10 train`. The defaults are the recipe for 45,000 pictures on two CPU cores."""

    epochs: int = 8
    """As many updates each as one pass over all training pictures has, whatever share of them is used."""
    backbone: str = EMBEDDED
    """`embedded`, a name on the hub (microsoft/resnet-18), a folder, a .pth file of torchvision's, or `none`."""
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
        for name in ("layer_decay", "label_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be above 0 and at most 1, got {getattr(self, name)}")


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(PicturesConfig):
    """Options of `accelerate-cifar10 pretrain`: a small ResNet from random weights. The embedded one was made so."""

    verb: ClassVar[str] = "pretrain"
    changeable: ClassVar[frozenset[str]] = PicturesConfig.changeable | {"output"}

    epochs: int = 16
    """Passes over the training pictures."""
    batch_size: int = 128
    learning_rate: float = 0.2
    image_size: int = 48
    """Height and width to which pictures are enlarged; a ResNet's first layers divide them by four."""
    embedding_size: int = 32
    """Channels of the first convolution."""
    hidden_sizes: tuple[int, ...] = (48, 96, 192)
    """Channels of each stage; each but the first halves height and width."""
    depths: tuple[int, ...] = (2, 2, 2)
    """Residual blocks of each stage, of two convolutions each."""
    output: str | None = None
    """Folder for the backbone (default: `backbone` in the run)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.data == "hub":
            raise ValueError("--data must name labelled pictures to pre-train on: a path, or `sample`")
        if self.image_size == 0:
            raise ValueError("image_size must be at least 32 pixels: there is no backbone to ask")
        if not self.hidden_sizes or len(self.hidden_sizes) != len(self.depths):
            raise ValueError(f"hidden_sizes and depths must be as many, got {self.hidden_sizes} and {self.depths}")
        if min(self.embedding_size, *self.hidden_sizes, *self.depths) < 1:
            raise ValueError("embedding_size, hidden_sizes and depths must be positive")
        if self.image_size // 4 < 2 ** (len(self.hidden_sizes) - 1):
            raise ValueError(f"{len(self.hidden_sizes)} stages halve {self.image_size} pixels away; give fewer")


PRESETS = {
    # The embedded backbone, enlarged to the size it was trained with.
    "cpu": Config(),
    # A minute on two cores, start, baseline and pictures included; meant for `--data sample`.
    "quick": Config(epochs=3, batch_size=64, head_epochs=0, layer_decay=1.0, augment=("flip",)),
    # For a GPU.
    "full": Config(backbone="microsoft/resnet-50", image_size=160, epochs=20, batch_size=128, learning_rate=0.05),
}
PRETRAIN_PRESETS = {
    "cpu": PretrainConfig(data="sample"),
    # Seconds, to see that it works.
    "quick": PretrainConfig(
        data="sample", epochs=2, batch_size=64, image_size=32, embedding_size=16, hidden_sizes=(16, 32), depths=(1, 1)
    ),
}
