"""What may vary in the training of the picture model; imports nothing heavy."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.config import TrainConfig
from dl_shared.paths import user_path

GROUPS = 8  # of the norms; every width is a multiple of it


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of the training. Epochs are those of the denoiser, over all pictures."""

    changeable: ClassVar[frozenset[str]] = frozenset({"device", "output"})

    output: str = ""
    """Folder of the model; `model` in the run's folder unless given. `--data` is a folder with `mnist`,
    `fashion_mnist` and `cifar10` in it, `hub`, or `sample`."""
    autoencoder_steps: int = 3000
    """Of the autoencoder, which is trained first."""
    autoencoder_widths: tuple[int, ...] = (16, 32, 32)
    """Channels at each resolution; every further one halves height and width."""
    latent_channels: int = 8
    """Channels of what the denoiser sees."""
    widths: tuple[int, ...] = (56, 72)
    """Channels of the denoiser at each resolution."""
    text_size: int = 64
    """Width of the text encoder."""
    learning_rate: float = 1e-3
    """Peak, after the warm-up, of both; falls to a tenth along a cosine."""
    warmup_steps: int = 200
    """Steps over which the learning rate rises."""
    weight_decay: float = 0.01
    """Of the matrices, by AdamW."""
    clip_norm: float = 1.0
    """Longest gradient allowed."""
    average_decay: float = 0.9995
    """Of the running average of the denoiser's weights, which is what is kept."""
    unconditional: float = 0.1
    """Share of pictures learned without words, for classifier-free guidance."""
    judge_steps: int = 1500
    """Of the classifier that tells whether the drawings can be recognised."""
    drawn: int = 20
    """Drawings of each class that it is shown."""
    log_steps: int = 250
    """Steps between two validations."""
    checkpoint_steps: int = 100
    """Steps between two checkpoints; a kill costs no more work than this."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output:
            object.__setattr__(self, "output", str(user_path(self.output).absolute()))
        for name in ("autoencoder_steps", "latent_channels", "judge_steps", "drawn", "log_steps", "checkpoint_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("autoencoder_widths", "widths"):
            widths = getattr(self, name)
            if not 2 <= len(widths) <= 4 or any(width < GROUPS or width % GROUPS for width in widths):
                raise ValueError(f"{name} must be two to four multiples of {GROUPS}, got {widths}")
        if self.text_size < GROUPS or self.text_size % GROUPS:
            raise ValueError(f"text_size must be a multiple of {GROUPS}, got {self.text_size}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("warmup_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("average_decay", "unconditional"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.precision == "fp16":
            raise ValueError("precision must be fp32 or bf16: fp16 would need its loss scaled")

    @property
    def factor(self) -> int:
        """By how much latents are smaller than pictures, in height and in width."""
        return 2 ** (len(self.autoencoder_widths) - 1)


PRESETS = {
    "full": Config(epochs=6, batch_size=64),
    "quick": Config(
        epochs=2,
        batch_size=32,
        autoencoder_steps=60,
        autoencoder_widths=(8, 16, 16),
        latent_channels=4,
        widths=(16, 24),
        text_size=16,
        warmup_steps=10,
        judge_steps=60,
        drawn=2,
        log_steps=50,
        checkpoint_steps=25,
    ),
}
