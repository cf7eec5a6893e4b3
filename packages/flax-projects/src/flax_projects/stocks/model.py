"""The network: a causal Transformer over the days of a window, and quantiles of the returns that follow each day.

Attention looks back only, so the output at every day of a window is a forecast made on that day: one pass over a window
of 60 days trains 60 forecasts, and at the end the last one is used. The encoder is that of Vaswani et al. 2017
("Attention Is All You Need", arXiv:1706.03762) with three departures, each named where it is made: queries and keys are
normalised and nothing else is, perceptrons are gated, and every block begins as the identity.
"""

import math
import operator
from itertools import accumulate, pairwise
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.rotary import rotate
from flax_projects.stocks.config import Config

ROTARY_BASE = 100.0  # small, because a window has some dozens of days where a text has thousands of tokens
PRIOR_DAYS = 10.0
NORMAL_STEPS = [
    (NormalDist().inv_cdf(high) - NormalDist().inv_cdf(low)) / math.log(2) for low, high in pairwise(LEVELS)
]

Windows = Float[Array, "batch days features"]
Hidden = Float[Array, "batch days width"]
Heads = Float[Array, "batch days heads size"]


class Statistics(NamedTuple):
    """Of each feature, at each day over the days of the window up to and including it."""

    mean: Windows
    deviation: Windows


class ReversibleNorm(nnx.Module):
    """Reversible instance normalisation: each window on its own scale, and forecasts back on that of prices.

    After Kim et al. 2022, "Reversible Instance Normalization for Accurate Time-Series Forecasting against Distribution
    Shift", equations 2 to 4: x' = gain * (x - mean) / deviation + bias for each feature, and the outputs multiplied by
    deviation / gain of the feature that is forecast. What is normalised, and where we differ:

    - Inputs are features that the data's scaler has already brought to mean 0 and deviation 1 over the training part.
      Mean and deviation at a day are those of the window's days *up to that day*, never of a later one, so that the
      output at each day stays a forecast. In the paper they are those of the whole window; at its last day they agree.
    - Ten days of mean 0 and deviation 1 are counted in, as a prior: the first days of a window would otherwise be
      divided by the deviation of one or two. No epsilon is needed then.
    - Outputs are log returns since a day, differences of log prices, in which a mean price cancels: only the scale is
      reversed. The mean *return* of a window is not added back; output 0 shall be persistence and not momentum.
    - The gain is learned as its logarithm, for a negative one would turn the quantiles around.

    What is taken away (how wild a company is at the time, say) informs about the future, so the network is given the
    statistics beside the normalised features.

    Args:
        features: columns of the input.
    """

    def __init__(self, features: int) -> None:
        self.log_gain = nnx.Param(jnp.zeros(features))
        self.bias = nnx.Param(jnp.zeros(features))

    def statistics(self, inputs: Windows) -> Statistics:
        count = jnp.arange(1, inputs.shape[1] + 1)[:, None] + PRIOR_DAYS
        mean = inputs.cumsum(axis=1) / count
        mean_square = ((inputs**2).cumsum(axis=1) + PRIOR_DAYS) / count
        return Statistics(mean, jnp.sqrt(mean_square - mean**2))

    def normalize(self, inputs: Windows, statistics: Statistics) -> Windows:
        standard = (inputs - statistics.mean) / statistics.deviation
        return jnp.exp(self.log_gain[...]) * standard + self.bias[...]

    def reverse_scale(self, statistics: Statistics, feature: int) -> Float[Array, "batch days"]:
        """By what a difference of two normalised values of a feature is multiplied to be one of the inputs' values."""
        return statistics.deviation[..., feature] * jnp.exp(-self.log_gain[...][feature])


class CausalAttention(nnx.Module):
    """Each day gathers from the days of its window up to itself.

    Queries and keys are normalised (Dehghani et al. 2023, arXiv:2302.05442, section 2; here by their root mean square),
    values are not.
    """

    def __init__(self, width: int, heads: int, *, rotary: bool, dtype: Any, rngs: nnx.Rngs) -> None:
        self.query_key_value = nnx.Linear(width, 3 * width, dtype=dtype, rngs=rngs)
        self.query_norm = nnx.RMSNorm(width // heads, dtype=dtype, rngs=rngs)
        self.key_norm = nnx.RMSNorm(width // heads, dtype=dtype, rngs=rngs)
        self.out = nnx.Linear(width, width, kernel_init=nnx.initializers.zeros, dtype=dtype, rngs=rngs)
        self.heads = heads
        self.rotary = rotary

    def __call__(self, hidden: Hidden) -> Hidden:
        batch, days, width = hidden.shape
        projected = self.query_key_value(hidden).reshape(batch, days, 3, self.heads, width // self.heads)
        query, key, value = jnp.moveaxis(projected, 2, 0)
        query, key = self.query_norm(query), self.key_norm(key)
        if self.rotary:
            place = jnp.arange(days)
            query, key = (rotate(vectors, place, base=ROTARY_BASE) for vectors in (query, key))
        gathered = jax.nn.dot_product_attention(query, key, value, is_causal=True)
        return self.out(gathered.reshape(batch, days, width))


class GatedPerceptron(nnx.Module):
    """relu(gate) * value, then back to the width: ReGLU of Shazeer 2020, "GLU Variants", arXiv:2002.05202.

    Products of two inputs, a move and the volume that came with it, are what it does best.
    """

    def __init__(self, width: int, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.gate_value = nnx.Linear(width, 4 * width, dtype=dtype, rngs=rngs)
        self.out = nnx.Linear(2 * width, width, kernel_init=nnx.initializers.zeros, dtype=dtype, rngs=rngs)

    def __call__(self, hidden: Hidden) -> Hidden:
        gate, value = jnp.split(self.gate_value(hidden), 2, axis=-1)
        return self.out(nnx.relu(gate) * value)


class Block(nnx.Module):
    """Attention, then a perceptron, each added to what came in; both start as nothing, by zeros in their last layer.

    Hidden numbers are not normalised, contrary to custom: layer normalisation divides each day by its own size, and a
    day with a large move shall count for more than a quiet one.
    """

    def __init__(self, config: Config, *, dtype: Any, rngs: nnx.Rngs) -> None:
        rotary = config.positions == "rotary"
        self.attention = CausalAttention(config.width, config.heads, rotary=rotary, dtype=dtype, rngs=rngs)
        self.perceptron = GatedPerceptron(config.width, dtype=dtype, rngs=rngs)
        self.dropout = nnx.Dropout(config.dropout)

    def __call__(self, hidden: Hidden, rngs: nnx.Rngs | None) -> Hidden:
        hidden = hidden + self.dropout(self.attention(hidden), rngs=rngs)
        return hidden + self.dropout(self.perceptron(hidden), rngs=rngs)


class Forecaster(nnx.Module):
    """Embedding of each day's features, positions, blocks, and a head for all days ahead and all quantiles at once.

    **Shape:** windows `(batch, lookback, features)`, scaled as the data's scaler does, to quantiles
    `(batch, lookback, horizon, levels)` of the cumulative log returns since each day, in units of the training targets'
    root mean square (`target_scale`), ascending along the last axis. The head begins with zeros: before the first step
    every forecast is persistence, with the quantiles of a normal distribution of the training targets' deviation.

    Args:
        config: lookback, horizon and the options of the network are read.
        features: columns of the input.
        return_feature: the column of one-day returns, on whose scale `revin` brings the forecasts.
        rngs: stream `params`.
    """

    def __init__(self, config: Config, *, features: int, return_feature: int, rngs: nnx.Rngs) -> None:
        dtype = jnp.bfloat16 if config.precision == "bf16" else jnp.float32
        self.horizon = config.horizon
        self.return_feature = return_feature
        self.norm = ReversibleNorm(features) if config.normalization == "revin" else None
        seen = 3 * features if self.norm else features
        self.embed = nnx.Linear(seen, config.width, dtype=dtype, rngs=rngs)
        learned = nnx.initializers.normal(0.02)(rngs.params(), (config.lookback, config.width))
        self.positions = nnx.Param(learned) if config.positions == "learned" else None
        self.blocks = nnx.List(Block(config, dtype=dtype, rngs=rngs) for _ in range(config.layers))
        self.head = nnx.Linear(
            config.width, config.horizon * len(LEVELS), kernel_init=nnx.initializers.zeros, rngs=rngs
        )

    def __call__(self, inputs: Windows, rngs: nnx.Rngs | None = None) -> Float[Array, "batch days horizon levels"]:
        """The forecasts made on each day of the windows; `rngs` (stream `dropout`) is needed in training only."""
        hidden, scale = self.encode(inputs, rngs)
        return self.quantiles(hidden, scale)

    def forecast(self, inputs: Windows) -> Float[Array, "batch horizon levels"]:
        """The forecasts made on the last day of the windows."""
        hidden, scale = self.encode(inputs, None)
        return self.quantiles(hidden[:, -1:], scale[:, -1:])[:, 0]

    def encode(self, inputs: Windows, rngs: nnx.Rngs | None) -> tuple[Hidden, Float[Array, "batch days"]]:
        """What is known on each day, and the scale of what is forecast there."""
        if self.norm is None:
            seen, scale = inputs, jnp.ones(inputs.shape[:2], inputs.dtype)
        else:
            statistics = self.norm.statistics(inputs)
            removed = statistics.mean, jnp.log(statistics.deviation)
            seen = jnp.concatenate([self.norm.normalize(inputs, statistics), *removed], axis=-1)
            scale = self.norm.reverse_scale(statistics, self.return_feature)
        hidden = self.embed(seen)
        if self.positions is not None:
            hidden = hidden + self.positions[...].astype(hidden.dtype)
        for block in self.blocks:
            hidden = block(hidden, rngs)
        return hidden.astype(jnp.float32), scale

    def quantiles(self, hidden: Hidden, scale: Float[Array, "batch days"]) -> Float[Array, "batch days horizon levels"]:
        outputs = self.head(hidden).reshape(*hidden.shape[:2], self.horizon, len(LEVELS))
        return scale[..., None, None] * ascending_quantiles(outputs)


def ascending_quantiles(outputs: Float[Array, "*rows levels"]) -> Float[Array, "*rows levels"]:
    """Quantiles that cannot cross: the median, and steps upwards and downwards from it, each positive by softplus.

    The middle output is the median. Another output z makes the step to the next quantile outwards the step between the
    same quantiles of a standard normal distribution, times softplus(z) / log 2: all zeros give that distribution.
    """
    middle = len(LEVELS) // 2
    median, *rest = (outputs[..., i] for i in (middle, *range(middle), *range(middle + 1, len(LEVELS))))
    steps = [softplus(output) * step for output, step in zip(rest, NORMAL_STEPS, strict=True)]
    below = accumulate(steps[:middle][::-1], operator.sub, initial=median)
    above = accumulate(steps[middle:], initial=median)
    return jnp.stack([*reversed(list(below)), *list(above)[1:]], axis=-1)


def softplus(z: Float[Array, "*rows"]) -> Float[Array, "*rows"]:
    """log(1 + exp(z)). `nnx.softplus` keeps more digits far below 0, and took twice as long on a processor."""
    return jnp.log(1 + jnp.exp(jnp.minimum(z, 30.0))) + jnp.maximum(z - 30.0, 0.0)
