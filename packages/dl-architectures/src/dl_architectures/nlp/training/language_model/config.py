"""What may vary in the training of the language model; imports nothing heavy."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.config import TrainConfig
from dl_shared.paths import user_path


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of the training. An epoch reads every text once and `chat_passes` times every dialogue."""

    changeable: ClassVar[frozenset[str]] = frozenset({"device", "output"})

    data: str = "sample"
    """`sample` (made on the spot), or a folder with `imdb`, `shakespeare` and `wikitext2` in it, or some of them."""
    output: str = ""
    """Folder of the model; `model` in the run's folder unless given."""
    vocab_size: int = 2560
    """Sub-words, the special ones included."""
    context: int = 384
    """Tokens that the model looks back on."""
    hidden_size: int = 144
    """Width of the layers."""
    intermediate_size: int = 384
    """Width inside of the feed-forward networks."""
    layers: int = 6
    """How many."""
    heads: int = 4
    """Attention heads in each."""
    chat_passes: int = 2
    """How often each dialogue is read in an epoch."""
    learning_rate: float = 4e-3
    """Peak, after the warm-up; falls to a tenth along a cosine."""
    warmup_steps: int = 200
    """Steps over which the learning rate rises."""
    weight_decay: float = 0.1
    """Of the matrices, by AdamW."""
    clip_norm: float = 1.0
    """Longest gradient allowed."""
    log_steps: int = 250
    """Steps between two validations."""
    checkpoint_steps: int = 100
    """Steps between two checkpoints; a kill costs no more work than this."""

    def __post_init__(self) -> None:
        if self.data == "hub":
            raise ValueError("data must be `sample` or a folder of texts: they come from several places of the hub")
        super().__post_init__()
        if self.output:
            object.__setattr__(self, "output", str(user_path(self.output).absolute()))
        for name in ("hidden_size", "intermediate_size", "layers", "heads", "log_steps", "checkpoint_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size must be a multiple of 2 * heads = {2 * self.heads}, got {self.hidden_size}")
        if self.vocab_size < 300:  # 256 bytes and the special ones
            raise ValueError(f"vocab_size must be at least 300, got {self.vocab_size}")
        if self.context < 16:
            raise ValueError(f"context must be at least 16, got {self.context}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("chat_passes", "warmup_steps", "weight_decay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.precision == "fp16":
            raise ValueError("precision must be fp32 or bf16: fp16 would need its loss scaled")


PRESETS = {
    "full": Config(epochs=3, batch_size=24),
    "quick": Config(
        epochs=4,
        batch_size=16,
        vocab_size=400,
        context=128,
        hidden_size=48,
        intermediate_size=96,
        layers=2,
        heads=2,
        warmup_steps=20,
        log_steps=50,
        checkpoint_steps=25,
    ),
}
