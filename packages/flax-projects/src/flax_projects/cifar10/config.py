"""What may vary in a run of flax-cifar10, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.ranges import BELOW_1, NOT_NEGATIVE, POSITIVE, check
from flax_projects.config import FlaxConfig

SIDE = 32  # pixels, of the images as they are


@dataclass(frozen=True, kw_only=True)
class Config(FlaxConfig):
    """Options of `flax-cifar10 train`. The defaults are the recipe for 45,000 images on two CPU cores."""

    epochs: int = 8
    """Passes over the training images."""
    batch_size: int = 500
    """Images per step, over all devices together."""
    precision: Literal["fp32", "bf16"] = "bf16"
    chunk_steps: int = 5

    model: Literal["cnn", "resnet"] = "cnn"
    """Plain blocks, or blocks with a skip connection."""
    widths: tuple[int, ...] = (64, 256, 256)
    """Channels of each block; each block halves height and width."""
    stem_stride: Literal[1, 2] = 1
    """2 looks at the image in steps of two pixels: a quarter of the work, and less detail."""
    dropout: float = 0.0
    """Share of the features dropped before the classifier."""

    optimizer: Literal["sgd", "muon"] = "muon"
    """SGD with Nesterov momentum, or Muon for the convolutions (and Adam for the rest)."""
    learning_rate: float = 0.1
    """At its peak, for a batch of any size."""
    warmup: float = 0.2
    """Share of the steps in which the learning rate rises; it falls to zero in the others."""
    weight_decay: float = 0.01
    """Decoupled from the gradient, times the learning rate; on kernels only, with Muon on the classifier's only."""
    label_smoothing: float = 0.2
    """Share of each label spread evenly over all classes, in training only."""
    ema: float = 0.98
    """Decay per step of the average of the weights that is validated and tested; 0 takes the weights themselves."""

    crop: int = 2
    """Pixels by which the image is shifted at most, in each direction."""
    flip: bool = True
    """Mirror every image in every other epoch."""
    cutout: int = 0
    """Side in pixels of a square set to the mean colour; 0 for none."""
    small_epochs: int = 0
    """In so many epochs at the beginning the images are scaled down: less work, and less detail."""
    small_side: int = 24
    """Height and width to which they are."""
    flip_test: bool = True
    """Average the prediction over the image and its mirror image."""
    shift_test: bool = False
    """Average it also over shifts by one pixel, three times the work."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, POSITIVE, "widths")
        side = self.small_side if self.small_epochs else SIDE
        if (side // self.stem_stride - 1) >> len(self.widths) < 1:
            raise ValueError(f"{len(self.widths)} blocks halve {side} pixels away; give fewer widths")
        if not 0 <= self.small_epochs <= self.epochs:
            raise ValueError(f"small_epochs must be 0 to {self.epochs}, got {self.small_epochs}")
        if self.small_side > SIDE:
            raise ValueError(f"small_side must be at most {SIDE}, got {self.small_side}")
        check(self, BELOW_1, "dropout", "warmup", "label_smoothing", "ema")
        check(self, NOT_NEGATIVE, "weight_decay", "crop", "cutout")
        check(self, POSITIVE, "learning_rate")
        if max(self.crop, self.cutout) > SIDE:
            raise ValueError(f"crop and cutout must be at most {SIDE} pixels, got {self.crop} and {self.cutout}")

    def side(self, epoch: int) -> int:
        """Height and width of the images in an epoch, the first of which is 0."""
        return self.small_side if epoch < self.small_epochs else SIDE


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, compilation, baseline and pictures included; meant for `--data sample`.
    "quick": Config(
        widths=(64, 128, 256),
        stem_stride=2,
        epochs=2,
        batch_size=125,
        ema=0.95,
    ),
    # For an accelerator, after airbench96: wide blocks with a skip connection, cutout, a whole epoch in one call.
    "full": Config(
        model="resnet",
        widths=(128, 384, 512),
        epochs=40,
        batch_size=1000,
        dropout=0.1,
        ema=0.99,
        crop=4,
        cutout=12,
        small_epochs=10,
        shift_test=True,
        chunk_steps=0,
    ),
}
