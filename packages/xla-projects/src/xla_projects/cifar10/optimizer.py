"""How fast each part of the network learns, update by update."""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import nn

from dl_shared.data.picture_backbones import levels_below_head
from dl_shared.schedules import warmup_linear
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.model import Network


class LayerwiseRates:
    """Groups of parameters, and their learning rates at each update.

    The head learns fastest, and each stage below it slower than the one above by a factor. All rates rise on a straight
    line and fall on another to nearly zero. While the head learns alone, those of the body are 0, in the same graph.

    Args:
        network: on the device or on the host.
        config: `learning_rate`, `weight_decay`, `warmup`, `head_epochs`, `layer_decay` and `backbone` are read.
        steps_per_epoch: updates of an epoch.
    """

    def __init__(self, network: Network, config: Config, steps_per_epoch: int) -> None:
        self.config, self.steps_per_epoch = config, steps_per_epoch
        stages = len(network.resnet.encoder.stages)
        grouped: dict[tuple[int, bool], list[nn.Parameter]] = {}
        for name, param in network.named_parameters():
            grouped.setdefault((levels_below_head(name, stages), param.ndim > 1), []).append(param)
        self.groups: list[dict[str, Any]] = [
            {"params": params, "weight_decay": config.weight_decay if decays else 0.0}
            for (_, decays), params in grouped.items()
        ]
        self.levels = np.array([level for level, _ in grouped])

    def at(self, epoch: int, step: int) -> Float[np.ndarray, " groups"]:
        """The rate of each group at an update; epochs and steps are counted from 0."""
        config = self.config
        total = config.epochs * self.steps_per_epoch
        share = warmup_linear(epoch * self.steps_per_epoch + step, total, config.warmup)
        rates = config.learning_rate * share * config.stage_decay**self.levels
        if epoch < config.head_only_epochs:
            rates = np.where(self.levels == 0, rates, 0.0)
        return rates.astype(np.float32)
