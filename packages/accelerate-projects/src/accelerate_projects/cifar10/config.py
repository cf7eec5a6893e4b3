"""What may vary in a run of accelerate-cifar10, and its presets."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from accelerate_projects.config import AccelerateConfig
from dl_shared.ranges import AT_LEAST_1, BELOW_1, check
from dl_shared.tasks.cifar10_config import EMBEDDED, FineTuningConfig, PicturesConfig


@dataclass(frozen=True, kw_only=True)
class SgdConfig(PicturesConfig, AccelerateConfig):
    """What pre-training and fine-tuning have in common."""

    precision: Literal["fp32", "bf16", "fp16"] = "bf16"
    batch_size: int = 256
    """Pictures per update, of all processes and parts together."""

    learning_rate: float = 0.1
    """Of SGD with Nesterov's momentum, at its peak."""
    momentum: float = 0.9
    weight_decay: float = 5e-4
    """Of filters; biases and normalisations do not decay."""
    ema: float = 0.0
    """Decay, per update, of the moving average of the weights that is validated and tested; 0 for no average."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, BELOW_1, "momentum", "ema")


@dataclass(frozen=True, kw_only=True)
class Config(SgdConfig, FineTuningConfig):
    """Options of `accelerate-cifar10 train`. The defaults are the recipe for 45,000 pictures on two CPU cores."""

    epochs: int = 8
    """Each has as many updates as a pass over all training pictures, whatever share of them is used."""
    backbone: str = EMBEDDED
    """`embedded`, a name on the hub (microsoft/resnet-18), a folder, a .pth file of torchvision's, or `none`."""


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(SgdConfig):
    """Options of `accelerate-cifar10 pretrain`: a small ResNet from random weights, as the embedded one was made."""

    verb: ClassVar[str] = "pretrain"
    changeable: ClassVar[frozenset[str]] = SgdConfig.changeable | {"output"}

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
        check(self, AT_LEAST_1, "embedding_size", "hidden_sizes", "depths")
        if len(self.hidden_sizes) != len(self.depths):
            raise ValueError(f"hidden_sizes {self.hidden_sizes} and depths {self.depths} must have the same length")
        if self.image_size // 4 < 2 ** (len(self.hidden_sizes) - 1):
            raise ValueError(
                f"image_size {self.image_size} is too small for {len(self.hidden_sizes)} stages; give fewer"
            )


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
