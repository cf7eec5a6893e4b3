"""What may vary in a run of lightning-cifar10, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.ranges import BELOW_1, NOT_NEGATIVE, POSITIVE, check
from lightning_projects.config import LightningConfig


@dataclass(frozen=True, kw_only=True)
class Config(LightningConfig):
    """Options of `lightning-cifar10 train`. The defaults are the recipe for 45,000 images on two CPU cores."""

    epochs: int = 18
    """Passes over the training images."""
    batch_size: int = 512
    """Images per step, over all processes together."""
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    patience: int = 5

    widths: tuple[int, ...] = (64, 256, 256)
    """Channels of each block; each block halves height and width."""
    depth: Literal[2, 3] = 2
    """Convolutions in a block; the third is bridged by a skip connection."""
    stem_stride: Literal[1, 2] = 1
    """2 looks at the image in steps of two pixels: a quarter of the work, and less detail."""
    activation: Literal["relu", "gelu"] = "relu"
    """GELU is more accurate by a little, and slow on a CPU."""
    dropout: float = 0.1
    """Share of the features dropped before the classifier."""

    learning_rate: float = 1.5
    """At its peak, for a batch of 1,024; it is scaled to the size of the batch."""
    bias_factor: float = 64.0
    """The biases of batch normalisation learn faster by this much."""
    momentum: float = 0.85
    """Of SGD, with Nesterov's step."""
    weight_decay: float = 0.0013
    """Added to the gradient, times the weight."""
    warmup: float = 0.23
    """Share of the steps in which the learning rate rises; it falls in the others."""
    label_smoothing: float = 0.2
    """Share of each label spread evenly over all classes, in training only."""
    ema: float = 0.95
    """Decay per step of the average of the weights that is validated and tested; 0 takes the weights themselves."""

    crop: int = 2
    """Pixels by which the image is shifted at most, in each direction."""
    flip: bool = True
    """Mirror every image in every other epoch."""
    cutout: int = 0
    """Side in pixels of a square set to the mean colour; 0 for none."""
    flip_test: bool = True
    """Average the prediction over the image and its mirror image."""
    compile: bool = False
    """Compile the network with torch.compile; pays on a GPU after some minutes of training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, POSITIVE, "widths")
        if self.stem_stride * 2 ** len(self.widths) > 16:
            raise ValueError(f"{len(self.widths)} blocks halve 32 pixels away; give fewer widths")
        check(self, BELOW_1, "dropout", "momentum", "warmup", "label_smoothing", "ema")
        check(self, NOT_NEGATIVE, "weight_decay", "crop", "cutout")
        check(self, POSITIVE, "learning_rate", "bias_factor")
        if self.crop > 31 or self.cutout > 32:
            raise ValueError(f"crop must be below 32 pixels and cutout at most 32, got {self.crop} and {self.cutout}")


PRESETS = {
    # After airbench94, with fewer and cheaper features of the recipe.
    "cpu": Config(),
    # A minute on two cores, start, baseline and pictures included; meant for `--data sample`.
    "quick": Config(
        widths=(64, 128, 256), stem_stride=2, epochs=3, batch_size=128, patience=0, dropout=0.0, bias_factor=8.0
    ),
    # For an accelerator, after airbench96: skip connections, wide blocks, cutout.
    "full": Config(
        widths=(128, 384, 512),
        depth=3,
        activation="gelu",
        epochs=37,
        batch_size=1024,
        patience=0,
        learning_rate=1.17,
        crop=4,
        cutout=12,
        ema=0.98,
    ),
}
