"""What may vary in a run of xla-imdb, and its presets."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.tasks.imdb_config import ReviewsConfig
from xla_projects.config import XlaConfig

FIXED_LENGTHS = 3  # of `--batches lengths`; each is compiled twice, for training and for evaluation


@dataclass(frozen=True, kw_only=True)
class Config(ReviewsConfig, XlaConfig):
    """Options of `xla-imdb train`. The defaults are the recipe for a part of IMDb on two CPU cores."""

    epochs: int = 2
    """Passes over the training reviews."""
    batch_size: int = 32
    """Reviews per step, on average: a step has as many rows as so many reviews fill."""

    pooling: Literal["mean", "first"] = "mean"
    """What the classifier sees of a review: the mean of its tokens, as MiniLM was trained, or the first one, [CLS]."""
    frozen: int = 4
    """Parts of the model that do not learn: 1 for the embeddings, 2 for the lowest layer too, and so on."""
    train_reviews: int = 2000
    """Learn from so many of the training reviews; 0 takes all."""
    max_length: int = 192
    """Tokens of a review that the model sees, special ones included."""
    batches: Literal["packed", "lengths"] = "packed"
    """`packed`: several reviews to a row, all rows of one length; `lengths`: one to a row, of at most three lengths."""
    row_length: int = 0
    """Tokens of a row of packed reviews; 0 is max_length. Longer rows have less padding and more attention to mask."""
    learning_rate: float = 3e-4
    """Of the classifier, at its peak; layers below have smaller ones, see layer_decay."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches == "packed" and 0 != self.row_length < self.max_length:
            raise ValueError(f"row_length must be 0 or at least max_length ({self.max_length}), got {self.row_length}")


PRESETS = {
    "cpu": Config(),
    # Meant for `--data sample`: one epoch of short reviews, because XLA on a CPU is slow.
    "quick": Config(
        epochs=1,
        train_reviews=0,
        max_length=64,
        layers=3,
        frozen=1,
        learning_rate=7e-4,
        warmup=0.15,
        dropout=0.0,
    ),
    # For a TPU: every review, at the length the model was made for.
    "full": Config(
        epochs=3,
        train_reviews=0,
        max_length=512,
        frozen=0,
        learning_rate=1.5e-4,
        attention_dropout=0.1,
        precision="bf16",
    ),
}
