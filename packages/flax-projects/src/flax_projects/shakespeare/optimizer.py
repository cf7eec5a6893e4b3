"""The optimizer: AdamW with clipped gradients, and a learning rate that rises and falls once."""

import jax
import optax

from flax_projects.shakespeare.config import Config

BETAS = (0.9, 0.99)  # characters are many and gradients alike, so that a short memory of their squares suffices


def make_optimizer(config: Config, total_steps: int) -> optax.GradientTransformation:
    """AdamW (Loshchilov and Hutter 2019); weight decay is for matrices only."""
    warmup_steps = max(1, round(config.warmup * total_steps))
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, config.learning_rate, warmup_steps, max(total_steps, warmup_steps + 1)
    )
    return optax.chain(
        optax.clip_by_global_norm(config.clip),
        optax.adamw(schedule, *BETAS, weight_decay=config.weight_decay, mask=_is_matrix),
    )


def _is_matrix(params):
    return jax.tree.map(lambda array: array.ndim > 1, params)
