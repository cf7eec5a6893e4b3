"""What may vary: options of the model and of its training; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from typing import Literal

from dl_shared.config import TrainConfig
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, POSITIVE, check

AttentionName = Literal["location", "bahdanau", "luong"]
Schedule = Literal["constant", "linear", "inverse_sigmoid"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Everything that is needed to build the network again."""

    vocab_size: int
    """Ids: padding, begin, end, and one for each symbol."""
    attention: AttentionName
    embedding_size: int
    hidden_size: int
    """Width of the decoder; each direction of the encoder has half of it."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "embedding_size")
        if self.hidden_size < 2 or self.hidden_size % 2:
            raise ValueError(f"hidden_size must be even and at least 2, got {self.hidden_size}")


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of `dl-seq2seq train`."""

    data: str = "sample"
    """`sample` (drawn on the spot), or a text or CSV file with one integer sequence a line."""
    symbols: int = 10
    """Of sample data: how many different integers there are."""
    min_length: int = 1
    """Of sample data: the shortest sequence."""
    max_length: int = 20
    """Of sample data: the longest sequence trained on."""
    train_size: int = 10_000
    """Of sample data: sequences to train on; all parts together hold no sequence twice."""
    test_size: int = 100_000
    """Of sample data: sequences to test on."""
    attention: AttentionName = "location"
    """How the decoder finds its place in the source; `location` also holds beyond the lengths trained on."""
    embedding_size: int = 32
    """Width of a symbol's embedding."""
    hidden_size: int = 128
    """Width of the decoder; each direction of the encoder has half of it."""
    learning_rate: float = 3e-3
    """At the end of the warm-up; from there it falls to zero along a cosine."""
    warmup_steps: int = 50
    """Steps over which the learning rate rises."""
    weight_decay: float = 1e-4
    """AdamW's weight decay."""
    clip_norm: float = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it."""
    teacher_forcing: Schedule = "constant"
    """How often the decoder is given the true symbol: always, or ever less often as training goes on."""
    teacher_forcing_floor: float = 0.5
    """Share of true symbols that is still given when a falling schedule has ended."""
    threads: int = 1
    """CPU cores that one operation may use; such small ones gain little from more, and lose much on a busy machine."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "symbols", "min_length", "train_size", "test_size", "threads")
        if self.max_length < self.min_length:
            raise ValueError(f"max_length must be at least min_length ({self.min_length}), got {self.max_length}")
        check(self, POSITIVE, "learning_rate", "clip_norm")
        check(self, NOT_NEGATIVE, "warmup_steps", "weight_decay")
        if not 0 <= self.teacher_forcing_floor <= 1:
            raise ValueError(f"teacher_forcing_floor must be between 0 and 1, got {self.teacher_forcing_floor}")
        if self.precision == "fp16":
            raise ValueError("precision must be fp32 or bf16: fp16 would need its loss scaled")
        self.model(symbols=self.symbols)

    def model(self, *, symbols: int) -> ModelConfig:
        """The network for so many different symbols."""
        return ModelConfig(
            vocab_size=symbols + 3,
            attention=self.attention,
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
        )


PRESETS = {
    "full": Config(epochs=10, batch_size=128),
    "quick": Config(epochs=6, batch_size=128, train_size=5_000, test_size=10_000),
}
