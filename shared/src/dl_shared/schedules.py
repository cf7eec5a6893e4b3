"""How a learning rate rises and falls over a training, as a share of its peak: what optimizers are given."""

import math

import numpy as np


def warmup_linear(step: int, total_steps: int, warmup: float) -> float:
    """A straight line up to the peak, and one down to nearly zero.

    Args:
        step: updates made before this one.
        total_steps: updates of the whole training.
        warmup: share of them in which the rate rises, from 0 to 1.
    """
    return float(np.interp(step + 1, [0, warmup * total_steps, total_steps + 1], [0.0, 1.0, 0.0]))


def warmup_cosine(step: int, total_steps: int, warmup: float) -> float:
    """A straight line up to the peak, and half a cosine down to zero; for the arguments, see `warmup_linear`."""
    rising = warmup * total_steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min((step - rising) / max(total_steps - rising, 1), 1.0)))
