"""A language model of characters: embedding, a stack of layers with a carry, and logits.

    logits, carry = model(input_ids, carry)

One call trains by segments, scores a text of any length and writes one character at a time, for any kind of layer.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

from flax_projects.shakespeare.config import Config
from flax_projects.shakespeare.products import normalized, product
from flax_projects.shakespeare.recurrent import GRU, LSTM
from flax_projects.shakespeare.transformer import TransformerLayer

CELLS: dict[str, type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU}


class RecurrentLayer(nnx.Module):
    """An LSTM or GRU with a skip connection around it; its inputs are normalised first.

    Dropout takes the same features at all times of a call (Gal and Ghahramani 2016, arXiv:1512.05287).

    **Shape:** `(batch, time, width)` to the same.
    """

    def __init__(
        self, cell: type[LSTM] | type[GRU], width: int, *, weight_dropout: float, dropout: float, rngs: nnx.Rngs
    ) -> None:
        self.cell = cell(width, width, weight_dropout=weight_dropout, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, broadcast_dims=(1,))

    def initial_carry(self, batch: int) -> Any:
        """The carry before the first character."""
        return self.cell.initial_carry(batch)

    def __call__(
        self, inputs: Float[Array, "batch time width"], carry: Any, rngs: nnx.Rngs | None = None
    ) -> tuple[Float[Array, "batch time width"], Any]:
        """Outputs of all times, and the carry after the last."""
        outputs, carry = self.cell(normalized(inputs), carry, rngs)
        return inputs + self.dropout(outputs, rngs=rngs), carry


def make_layer(config: Config, rngs: nnx.Rngs) -> RecurrentLayer | TransformerLayer:
    """One layer of the kind that the config names."""
    if config.model == "transformer":
        return TransformerLayer(
            config.width,
            heads=config.heads,
            context=config.context,
            dropout=config.dropout,
            dtype=dtype_of(config),
            rngs=rngs,
        )
    return RecurrentLayer(
        CELLS[config.model], config.width, weight_dropout=config.weight_dropout, dropout=config.dropout, rngs=rngs
    )


def dtype_of(config: Config) -> Any:
    """The number format of products and activations."""
    return jnp.bfloat16 if config.precision == "bf16" else jnp.float32


class LanguageModel(nnx.Module):
    """Logits of the next character at every place of a text.

    **Shape:** `(batch, time)` integers to `(batch, time, vocab_size)` in float32.

    Args:
        config: all options of the model, and `precision`, are read.
        vocab_size: integers there are, 0 among them.
        rngs: stream `params`.
    """

    def __init__(self, config: Config, vocab_size: int, *, rngs: nnx.Rngs) -> None:
        kernel = nnx.initializers.normal(config.width**-0.5)
        self.embedding = nnx.Param(kernel(rngs.params(), (vocab_size, config.width)))
        self.layers = nnx.List(make_layer(config, rngs) for _ in range(config.layers))
        self.classifier = nnx.data(None if config.tied else nnx.Param(jnp.zeros((config.width, vocab_size))))
        self.bias = nnx.Param(jnp.zeros(vocab_size))
        self.input_dropout = nnx.Dropout(config.input_dropout, broadcast_dims=(1,))
        self.output_dropout = nnx.Dropout(config.dropout, broadcast_dims=(1,))
        self.dtype = dtype_of(config)

    def initial_carry(self, batch: int) -> tuple[Any, ...]:
        """What every layer carries before the first character; the first axis of every array is `batch`."""
        return tuple(layer.initial_carry(batch) for layer in self.layers)

    def __call__(
        self, input_ids: Int[Array, "batch time"], carry: tuple[Any, ...], rngs: nnx.Rngs | None = None
    ) -> tuple[Float[Array, "batch time vocab_size"], tuple[Any, ...]]:
        """Logits after each character, and what to carry on; `rngs` (stream `dropout`) is needed in training only."""
        features = normalized(self.embedding[...].astype(self.dtype))[input_ids]
        features = self.input_dropout(features, rngs=rngs)
        carries = []
        for layer, before in zip(self.layers, carry, strict=True):
            features, after = layer(features, before, rngs)
            carries.append(after)
        features = self.output_dropout(normalized(features), rngs=rngs)
        # Tied logits are made small at first: the features hold the embedding of the character just read.
        kernel = (
            self.classifier[...]
            if self.classifier is not None
            else self.embedding[...].T * self.embedding.shape[1] ** -0.5
        )
        logits = product(features, kernel, self.bias[...]).astype(jnp.float32)
        return logits, tuple(carries)
