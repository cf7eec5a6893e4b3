"""The optimizer: a learning rate that rises and falls once, SGD or Muon, weight decay on kernels."""

import jax
import jax.numpy as jnp
import optax

from flax_projects.cifar10.config import Config
from flax_projects.cifar10.muon import muon

MOMENTUM = 0.9
ADAM_SHARE = 0.1  # classifier, biases and scales learn at this share of Muon's learning rate


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
    """SGD or Muon, as the configuration says, on one cycle of the learning rate.

    Beside Muon, which keeps the length of each convolution's kernel, only the classifier's weights decay.
    """
    schedule = one_cycle(config, total_steps)
    if config.optimizer == "sgd":
        return optax.chain(
            optax.trace(MOMENTUM, nesterov=True),
            optax.add_decayed_weights(config.weight_decay, mask=_is_kernel),
            optax.scale_by_learning_rate(schedule),
        )
    dtype = jnp.bfloat16 if config.precision == "bf16" else jnp.float32
    return optax.partition(
        {
            "muon": muon(schedule, momentum=MOMENTUM, dtype=dtype),
            "adam": optax.nadamw(
                lambda step: ADAM_SHARE * schedule(step), weight_decay=config.weight_decay, mask=_is_kernel
            ),
        },
        lambda params: jax.tree.map(lambda array: "muon" if array.ndim == 4 else "adam", params),
    )


def _is_kernel(params):
    return jax.tree.map(lambda array: array.ndim > 1, params)
