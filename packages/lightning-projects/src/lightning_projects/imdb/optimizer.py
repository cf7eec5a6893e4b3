"""AdamW with a learning rate for each layer."""

from typing import Any

import torch
from torch import nn

from dl_shared.data.text_models import depth
from lightning_projects.imdb.config import Config

BETAS, EPSILON = (0.9, 0.999), 1e-8


def freeze(network: nn.Module, layers: int, parts: int) -> None:
    """Let the lowest `parts` of the network keep their weights; a backward pass ends above them."""
    for name, param in network.named_parameters():
        param.requires_grad_(depth(name, layers) >= parts)


def parameter_groups(network: nn.Module, layers: int, config: Config) -> list[dict[str, Any]]:
    """Parameters by depth, and by whether they decay; only matrices do, biases and normalisations do not.

    The rate of depth d is `learning_rate * layer_decay ** (layers + 1 - d)`: discriminative fine-tuning (Howard and
    Ruder 2018, arXiv:1801.06146, section 3.2), as one factor a layer (Clark et al. 2020, arXiv:2003.10555, appendix B).
    """
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, param in network.named_parameters():
        if param.requires_grad:
            groups.setdefault((depth(name, layers), param.ndim > 1), []).append(param)
    names = ("embeddings", *(f"layer {layer + 1}" for layer in range(layers)), "classifier")
    return [
        {
            "name": f"{names[place]}, {'matrices' if decays else 'biases'}",
            "params": params,
            "lr": config.learning_rate * config.layer_decay ** (layers + 1 - place),
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for (place, decays), params in sorted(groups.items())
    ]


def make_optimizer(network: nn.Module, layers: int, config: Config) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), one kernel for all parameters."""
    return torch.optim.AdamW(parameter_groups(network, layers, config), betas=BETAS, eps=EPSILON, fused=True)
