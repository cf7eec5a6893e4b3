"""Which parameters learn, and how fast: a learning rate for each layer."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from dl_shared.data.text_models import depth
from xla_projects.imdb.config import Config
from xla_projects.imdb.model import Network


def freeze(network: Network, parts: int) -> None:
    """Keep the weights of the lowest `parts` of the network as they are; a backward pass ends above them."""
    for name, param in network.named_parameters():
        param.requires_grad_(depth(name, network.layers) >= parts)


def parameter_groups(network: Network, config: Config) -> tuple[list[dict[str, Any]], Float[np.ndarray, " groups"]]:
    """Groups of parameters of one depth that all decay or all do not, and the peak learning rate of each group.

    Matrices decay; biases and normalisations do not. The rate at depth d is
    `learning_rate * layer_decay ** (layers + 1 - d)`: discriminative fine-tuning (Howard and Ruder 2018,
    arXiv:1801.06146, section 3.2) with one factor for each layer (Clark et al. 2020, arXiv:2003.10555, appendix B).
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
