"""How fast each part of the network learns, update by update."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from xla_projects.cifar10.config import Config
from xla_projects.cifar10.model import Network


class LayerwiseRates:
    """Groups of parameters, and the learning rates that they have at each update.

    The head learns fastest, each stage below slower by a factor. The rates rise on a straight line and fall on another
    to next to nothing. While the head is to learn alone, those of the body are 0: numbers in the same graph.

    Args:
        network: whose parameters are grouped, wherever they lie.
        config: `learning_rate`, `weight_decay`, `warmup` and what its properties say are read.
        steps_per_epoch: updates.
    """

    def __init__(self, network: Network, config: Config, steps_per_epoch: int) -> None:
        self.config, self.steps_per_epoch = config, steps_per_epoch
        stages = len(network.resnet.encoder.stages)
        grouped: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, param in network.named_parameters():
            grouped.setdefault((_level(name, stages), param.ndim > 1), []).append(param)
        self.groups: list[dict[str, Any]] = [
            {"params": params, "weight_decay": config.weight_decay if decays else 0.0}
            for (_, decays), params in grouped.items()
        ]
        self.levels = np.array([level for level, _ in grouped])

    def at(self, epoch: int, step: int) -> Float[np.ndarray, " groups"]:
        """Of the update `step` of an epoch, both from 0; one for each group."""
        config = self.config
        total = config.epochs * self.steps_per_epoch
        height = np.interp(
            epoch * self.steps_per_epoch + step + 1, [0, config.warmup * total, total + 1], [0.0, 1.0, 0.0]
        )
        rates = config.learning_rate * height * config.stage_decay**self.levels
        if epoch < config.learns_head_first:
            rates = np.where(self.levels == 0, rates, 0.0)
        return rates.astype(np.float32)


def _level(name: str, stages: int) -> int:
    """How far below the head a parameter is."""
    part, _, rest = name.partition(".")
    if part == "classifier":
        return 0
    inner = rest.split(".")
    return stages + 1 if inner[0] == "embedder" else stages - int(inner[2])
