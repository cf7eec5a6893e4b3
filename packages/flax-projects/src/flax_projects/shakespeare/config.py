"""What may vary in a run of flax-shakespeare, and its presets."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from dl_shared.ranges import AT_LEAST_1, BELOW_1, NOT_NEGATIVE, POSITIVE, check
from flax_projects.config import FlaxConfig

ModelName = Literal["lstm", "gru", "transformer"]
MODELS: tuple[ModelName, ...] = ("lstm", "gru", "transformer")


@dataclass(frozen=True, kw_only=True)
class Config(FlaxConfig):
    """Options of `flax-shakespeare train`. The defaults are the recipe for a million characters on two CPU cores."""

    epochs: int = 14
    """Passes over the training text."""
    batch_size: int = 64
    """Streams that are read side by side, over all devices together."""
    precision: Literal["fp32", "bf16"] = "bf16"
    """Number format of the products; weights, sums and cell states stay in fp32."""
    chunk_steps: int = 10
    """Steps in one call of the compiled program, between looks at Ctrl-C; 0 takes a whole epoch."""

    model: ModelName = "lstm"
    """The kind of layer."""
    layers: int = 2
    """Layers, each with a skip connection."""
    width: int = 512
    """Features of a character in every layer."""
    segment: int = 64
    """Characters of each stream in a step; the gradient ends at the first, the carry goes on to the next step."""
    heads: int = 4
    """Of attention; the Transformer's only."""
    context: int = 64
    """Characters that a layer of the Transformer remembers; L layers reach L times as far back."""
    tied: bool = False
    """Use the transposed embedding as the classifier."""

    dropout: float = 0.25
    """Share of the features that each layer adds, and of those before the classifier, dropped for a whole segment."""
    input_dropout: float = 0.0
    """Share of the features of the embedded characters dropped for a whole segment."""
    weight_dropout: float = 0.0
    """Share of the recurrent kernels dropped in each step; for LSTM and GRU."""

    learning_rate: float = 3e-3
    """Of AdamW at its peak; it rises on a straight line and falls to zero on a cosine."""
    warmup: float = 0.05
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.1
    """Decoupled from the gradient, times the learning rate; on matrices only."""
    clip: float = 1.0
    """Largest norm of the gradient; a larger one is scaled down to it."""
    ema: float = 0.98
    """Decay per step of the average of the weights that is validated and tested; 0 takes the weights themselves."""

    samples: int = 50
    """Places of the test text that are continued once training is over; 0 for none."""
    sample_temperature: float = 0.8
    """Temperature of the continuations that are drawn; others are found by beam search."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, AT_LEAST_1, "layers", "width", "segment", "heads", "context")
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}; got {self.model!r}")
        if self.model == "transformer" and self.width % (2 * self.heads):
            raise ValueError(f"width must be a multiple of twice the heads, got {self.width} for {self.heads} heads")
        check(self, BELOW_1, "dropout", "input_dropout", "weight_dropout", "warmup", "ema")
        check(self, NOT_NEGATIVE, "weight_decay", "samples", "sample_temperature")
        check(self, POSITIVE, "learning_rate", "clip")


PRESETS = {
    # Tiny Shakespeare on two CPU cores.
    "cpu": Config(),
    "cpu-transformer": Config(model="transformer", layers=4, width=256, epochs=7, learning_rate=2e-3, dropout=0.1),
    # The sample text within a minute on two CPU cores.
    "quick": Config(epochs=9, batch_size=16, layers=1, width=160, dropout=0.0, learning_rate=5e-3, ema=0.95),
    "quick-transformer": Config(model="transformer", epochs=8, batch_size=32, layers=2, width=64, dropout=0.0, ema=0.9),
    # An accelerator.
    "full": Config(epochs=40, layers=3, width=768, segment=128, dropout=0.4, ema=0.99, chunk_steps=0),
    "full-transformer": Config(
        model="transformer",
        epochs=60,
        layers=6,
        width=384,
        heads=6,
        segment=256,
        context=256,
        learning_rate=1e-3,
        dropout=0.3,
        ema=0.99,
        chunk_steps=0,
    ),
}


def recipe(preset: str, model: ModelName) -> Config:
    """The preset for a model: `cpu`, `quick` or `full`, the Transformer having its own of each."""
    if model == "transformer":
        return PRESETS[f"{preset}-transformer"]
    return dataclasses.replace(PRESETS[preset], model=model)
