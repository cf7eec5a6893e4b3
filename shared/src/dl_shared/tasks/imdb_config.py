"""What projects that fine-tune a text model on reviews let vary; imports nothing heavy, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dl_shared.config import TrainConfig
from dl_shared.paths import make_absolute
from dl_shared.ranges import BELOW_1, NOT_NEGATIVE, POSITIVE, SHARE, check

EMBEDDED, SCRATCH = "embedded", "scratch"


@dataclass(frozen=True, kw_only=True)
class ReviewsConfig(TrainConfig):
    """Options of a text model with a new classifier; a project's own derives from it and its package's."""

    model: str = EMBEDDED
    """`embedded` (MiniLM, 23 million parameters), a name on the hub, a folder, or `scratch` (small, not pretrained)."""
    layers: int = 0
    """Keep so many of the model's layers, the lowest; 0 keeps all."""
    frozen: int = 0
    """Parts of the model that do not learn: 1 the embeddings, 2 the lowest layer as well, and so on."""
    train_reviews: int = 4000
    """Learn from so many of the training reviews; 0 takes all."""
    clean: bool = True
    """Take out markup and runs of space."""
    max_length: int = 256
    """Tokens of a review that the model sees, special ones included."""
    truncation: Literal["head", "head-tail"] = "head-tail"
    """What stays of a longer one: its beginning, or a quarter from the beginning and the rest from the end."""

    learning_rate: float = 1.5e-4
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
            make_absolute(self, "model")
        check(self, NOT_NEGATIVE, "layers", "frozen", "train_reviews", "weight_decay", "clip")
        check(self, BELOW_1, "warmup", "dropout", "attention_dropout")
        check(self, POSITIVE, "learning_rate")
        check(self, SHARE, "layer_decay")
        if self.max_length < 8:
            raise ValueError(f"max_length must be at least 8, got {self.max_length}")
