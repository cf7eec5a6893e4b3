"""What may vary in the training of the picture model; imports nothing heavy."""

from dataclasses import dataclass

from dl_architectures.nlp.training.config import NetworkConfig
from dl_shared.ranges import AT_LEAST_1, BELOW_1, check

MODULE = "dl_architectures.nlp.training.pictures"
GROUPS = 8  # of the norms; every width is a multiple of it


@dataclass(frozen=True, kw_only=True)
class Config(NetworkConfig):
    """Options of the training. Epochs are those of the denoiser, over all pictures."""

    data: str = "hub"
    """`sample` (made on the spot), `hub`, or a folder with `mnist`, `fashion_mnist` and `cifar10` in it."""
    autoencoder_steps: int = 3000
    """Training steps of the autoencoder, which comes first."""
    autoencoder_widths: tuple[int, ...] = (16, 32, 32)
    """Channels at each resolution; every further one halves height and width."""
    latent_channels: int = 8
    """Channels of what the denoiser sees."""
    widths: tuple[int, ...] = (56, 72)
    """Channels of the denoiser at each resolution."""
    text_size: int = 64
    """Width of the text encoder."""
    average_decay: float = 0.9995
    """Decay of the running average of the denoiser's weights; the average is what is kept."""
    unconditional: float = 0.1
    """Share of pictures learned without words, for classifier-free guidance."""
    judge_steps: int = 1500
    """Training steps of the classifier that tells whether the drawings can be recognised."""
    drawn: int = 20
    """Drawings of each class that the classifier is shown."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "autoencoder_steps", "latent_channels", "judge_steps", "drawn")
        for name in ("autoencoder_widths", "widths"):
            widths = getattr(self, name)
            if not 2 <= len(widths) <= 4 or any(width < GROUPS or width % GROUPS for width in widths):
                raise ValueError(f"{name} must be two to four multiples of {GROUPS}, got {widths}")
        if self.text_size < GROUPS or self.text_size % GROUPS:
            raise ValueError(f"text_size must be a multiple of {GROUPS}, got {self.text_size}")
        check(self, BELOW_1, "average_decay", "unconditional")

    @property
    def factor(self) -> int:
        """How many times smaller latents are than pictures, in height and in width."""
        return 2 ** (len(self.autoencoder_widths) - 1)


PRESETS = {
    "full": Config(epochs=6, batch_size=64, learning_rate=1e-3, weight_decay=0.01),
    "quick": Config(
        epochs=2,
        batch_size=32,
        learning_rate=1e-3,
        weight_decay=0.01,
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
