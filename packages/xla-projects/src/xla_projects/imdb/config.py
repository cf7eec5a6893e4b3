"""What may vary in a run of xla-imdb, and its presets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xla_projects.config import XlaConfig

EMBEDDED, SCRATCH = "embedded", "scratch"
FIXED_LENGTHS = 3  # of `--batches lengths`: each is a compilation for training, and one for evaluation


@dataclass(frozen=True, kw_only=True)
class Config(XlaConfig):
    """Options of `xla-imdb train`. The defaults are the recipe for a part of IMDb on two CPU cores."""

    epochs: int = 2
    """Passes over the training reviews."""
    batch_size: int = 32
    """Reviews per step, on average: a step has so many rows as these fill."""

    model: str = EMBEDDED
    """`embedded` (MiniLM, 23 million parameters), a name on the hub, a folder, or `scratch` (small, not pretrained)."""
    pooling: Literal["mean", "first"] = "mean"
    """What the classifier sees of a review: the mean of its tokens, as MiniLM was trained, or the first one, [CLS]."""
    layers: int = 0
    """Keep so many of the model's layers, the lowest; 0 keeps all."""
    frozen: int = 4
    """Parts of the model that do not learn: 1 the embeddings, 2 the lowest layer as well, and so on."""
    train_reviews: int = 2000
    """Learn from so many of the training reviews; 0 takes all."""
    clean: bool = True
    """Take out markup and runs of space."""
    max_length: int = 192
    """Tokens of a review that the model sees, special ones included."""
    truncation: Literal["head", "head-tail"] = "head-tail"
    """What stays of a longer one: its beginning, or a quarter from the beginning and the rest from the end."""

    batches: Literal["packed", "lengths"] = "packed"
    """Several reviews side by side in rows of one length, or one in each row of at most three lengths."""
    row_length: int = 0
    """Tokens of a row of packed reviews; 0 is max_length. Long rows waste less, and compare more tokens in vain."""
    learning_rate: float = 3e-4
    """At its peak, for the classifier; layers below it have less, see layer_decay."""
    layer_decay: float = 0.9
    """Each layer learns at this multiple of the rate of the layer above; 1 gives all the same."""
    weight_decay: float = 0.01
    """Of AdamW; biases and normalisations are not decayed."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises; it falls to zero in the others."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 leaves it as it is."""
    dropout: float = 0.1
    """Of hidden values, and before the classifier."""
    attention_dropout: float = 0.0
    """Of attention weights."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.model:
            raise ValueError("model must be embedded, scratch, a name on the hub or a folder; it is empty")
        named = self.model in (EMBEDDED, SCRATCH)
        if not named and (self.model.startswith((".", "/", "~")) or Path(self.model).is_dir()):
            # Absolute, so that a run can be resumed from another folder.
            object.__setattr__(self, "model", str(Path(self.model).expanduser().absolute()))
        for name in ("layers", "frozen", "train_reviews", "weight_decay", "clip"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("warmup", "dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 0 and below 1, got {getattr(self, name)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay must be above 0 and at most 1, got {self.layer_decay}")
        if self.max_length < 8:
            raise ValueError(f"max_length must be at least 8, got {self.max_length}")
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
