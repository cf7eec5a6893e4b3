"""The optimizer: a learning rate that rises and falls once, SGD or Muon, weight decay on kernels."""

import jax
import optax
from optax.contrib import MuonDimensionNumbers, muon

from flax_projects.cifar10.config import Config

MOMENTUM = 0.9
ADAM_SHARE = 0.1  # biases and scales learn at this share of Muon's learning rate


def one_cycle(config: Config, total_steps: int) -> optax.Schedule:
    """From a fifth of the peak up to it, then down to zero, on straight lines."""
    rising_steps = max(1, round(config.warmup * total_steps))
    peak = config.learning_rate
    return optax.join_schedules(
        [
            optax.linear_schedule(peak / 5, peak, rising_steps),
            optax.linear_schedule(peak, 0.0, max(1, total_steps - rising_steps)),
        ],
        [rising_steps],
    )


def make_optimizer(config: Config, total_steps: int) -> optax.GradientTransformation:
    """What turns gradients into updates.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) takes the nearest orthogonal matrix of the
    momentum; a convolution's kernel is the matrix from its whole receptive field to its output channels.
    """
    schedule = one_cycle(config, total_steps)
    if config.optimizer == "sgd":
        return optax.chain(
            optax.trace(MOMENTUM, nesterov=True),
            optax.add_decayed_weights(config.weight_decay, mask=_is_kernel),
            optax.scale_by_learning_rate(schedule),
        )
    return muon(
        schedule,
        weight_decay=config.weight_decay,
        weight_decay_mask=_is_kernel,
        muon_weight_dimension_numbers=_as_matrices,
        adam_learning_rate=lambda step: ADAM_SHARE * schedule(step),
    )


def _is_kernel(params):
    return jax.tree.map(lambda array: array.ndim > 1, params)


def _as_matrices(params):
    """How to read each convolution's kernel as a matrix; None for what Adam takes."""
    matrix = MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    return jax.tree.map(lambda array: matrix if array.ndim == 4 else None, params)
