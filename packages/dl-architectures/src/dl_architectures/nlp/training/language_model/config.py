"""What may vary in the training of the language model; imports nothing heavy."""

from dataclasses import dataclass

from dl_architectures.nlp.training.config import NetworkConfig
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check

MODULE = "dl_architectures.nlp.training.language_model"


@dataclass(frozen=True, kw_only=True)
class Config(NetworkConfig):
    """Options of the training. An epoch reads every text once and `chat_passes` times every dialogue."""

    data: str = "sample"
    """`sample` (made on the spot), or a folder with `imdb`, `shakespeare` and `wikitext2` in it, or some of them."""
    vocab_size: int = 2560
    """Sub-words, the special ones included."""
    context: int = 384
    """Tokens that the model looks back on."""
    hidden_size: int = 144
    """Width of the layers."""
    intermediate_size: int = 384
    """Width inside of the feed-forward networks."""
    layers: int = 6
    """Number of layers."""
    heads: int = 4
    """Attention heads in each."""
    chat_passes: int = 2
    """How often each dialogue is read in an epoch."""

    def __post_init__(self) -> None:
        if self.data == "hub":
            raise ValueError("data must be `sample` or a folder of texts: they come from several places of the hub")
        super().__post_init__()
        check(self, AT_LEAST_1, "hidden_size", "intermediate_size", "layers", "heads")
        if self.hidden_size % (2 * self.heads):
            raise ValueError(f"hidden_size must be a multiple of 2 * heads = {2 * self.heads}, got {self.hidden_size}")
        if self.vocab_size < 300:  # 256 bytes and the special ones
            raise ValueError(f"vocab_size must be at least 300, got {self.vocab_size}")
        if self.context < 16:
            raise ValueError(f"context must be at least 16, got {self.context}")
        check(self, NOT_NEGATIVE, "chat_passes")


PRESETS = {
    "full": Config(epochs=3, batch_size=24, learning_rate=4e-3, weight_decay=0.1),
    "quick": Config(
        epochs=4,
        batch_size=16,
        learning_rate=4e-3,
        weight_decay=0.1,
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
