"""What may vary in a run of lightning-imdb, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.tasks.imdb_config import ReviewsConfig
from lightning_projects.config import LightningConfig

Preprocess = Literal["none", "stem", "lemmatise"]


@dataclass(frozen=True, kw_only=True)
class Config(ReviewsConfig, LightningConfig):
    """Options of `lightning-imdb train`. The defaults are the recipe for a part of IMDb on two CPU cores."""

    epochs: int = 3
    """Passes over the training reviews."""
    batch_size: int = 32
    """Reviews per step, over all processes together."""
    precision: Literal["fp32", "bf16", "fp16"] = "bf16"

    preprocess: Preprocess = "none"
    """Replace words by their stem or dictionary form, for the model and for its baseline."""
    batches: Literal["length", "padded"] = "length"
    """Reviews of like lengths together, padded to the longest of them; or any, padded to max_length."""
    accumulate: int = 1
    """A step sums the gradients of so many parts of its batch, one after the other, to save memory."""
    attention_dropout: float = 0.0
    """Of attention weights; above 0 a CPU computes attention several times slower."""
    compile: bool = False
    """Compile the network with torch.compile; pays on a GPU after some minutes of training."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.accumulate < 1 or self.batch_size % self.accumulate:
            raise ValueError(f"accumulate must divide the batch of {self.batch_size}, got {self.accumulate}")


PRESETS = {
    "cpu": Config(),
    # A minute on two cores, start, baseline, test and pictures included; meant for `--data sample`.
    "quick": Config(
        epochs=3, train_reviews=0, max_length=64, layers=3, frozen=1, learning_rate=5e-4, warmup=0.15, dropout=0.0
    ),
    # For a GPU: every review, at the length the model was made for.
    "full": Config(train_reviews=0, max_length=512, attention_dropout=0.1),
}
