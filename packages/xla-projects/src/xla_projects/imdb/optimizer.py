"""Which parameters learn, and how fast: a learning rate for each layer, and its rise and fall."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from dl_shared.data.text_models import depth
from xla_projects.imdb.config import Config
from xla_projects.imdb.model import Network


def freeze(network: Network, parts: int) -> None:
    """Let the lowest `parts` of the network keep their weights; a backward pass ends above them."""
    for name, param in network.named_parameters():
        param.requires_grad_(depth(name, network.layers) >= parts)


def parameter_groups(network: Network, config: Config) -> tuple[list[dict[str, Any]], Float[np.ndarray, " groups"]]:
    """Parameters by depth, and by whether they decay, and for each group its learning rate at the peak.

    Only matrices decay, biases and normalisations do not. The rate of depth d is
    `learning_rate * layer_decay ** (layers + 1 - d)`: discriminative fine-tuning (Howard and Ruder 2018,
    arXiv:1801.06146, section 3.2), as one factor a layer (Clark et al. 2020, arXiv:2003.10555, appendix B).
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, param in network.named_parameters():
        if param.requires_grad:
            groups.setdefault((depth(name, network.layers), param.ndim > 1), []).append(param)
    chosen = [
        {"params": params, "weight_decay": config.weight_decay if decays else 0.0}
        for (_, decays), params in groups.items()
    ]
    above = np.array([network.layers + 1 - place for place, _ in groups])
    return chosen, (config.learning_rate * config.layer_decay**above).astype(np.float32)


def share_of_peak(step: int, total_steps: int, warmup: float) -> np.float32:
    """Of each learning rate after `step` steps: a straight line up to the peak, and one down to zero."""
    return np.float32(np.interp(step + 1, [0, warmup * total_steps, total_steps + 1], [0, 1, 0]))
