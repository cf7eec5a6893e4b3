"""What Lightning needs to know to train the network: loss, metrics, optimizer and schedule."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import Inputs
from lightning_projects.cifar10.model import Network, mirrored_too
from lightning_projects.exact import ExactModule

BATCH_OF_RATE = 1024  # for which `learning_rate` is given
START, END = 0.2, 0.07  # of the schedule, as shares of its peak


def batch_sums(
    loss: Float[Tensor, ""], logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, " 3"]:
    """Loss, right answers and images of a batch whose losses have this mean."""
    count = torch.full_like(loss, len(labels))
    return torch.stack([loss * count, (logits.argmax(1) == labels).sum().to(loss), count])


class Classifier(ExactModule):
    """The network in training.

    Args:
        config: of the run.
        network: before its first step, its stem filled.
        total_steps: of the whole training, over which the learning rate rises and falls.
    """

    def __init__(self, config: Config, network: Network, total_steps: int) -> None:
        super().__init__(config, network, total_steps, sums=3)
        self.config = config

    @staticmethod
    def scores(sums: Float[Tensor, " 3"]) -> dict[str, Tensor]:
        """`loss` (nats) and `accuracy`."""
        loss, correct, count = sums
        return {"loss": loss / count, "accuracy": correct / count}

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.network(inputs)

    def training_step(self, batch: Inputs, batch_idx: int) -> Float[Tensor, ""]:
        inputs, labels = batch
        logits = self(inputs)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.trained.add(batch_sums(loss, logits, labels))
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Inputs, batch_idx: int) -> None:
        inputs, labels = batch
        logits = mirrored_too(self.network, inputs) if self.config.flip_test else self(inputs)
        self.validated.add(batch_sums(F.cross_entropy(logits, labels), logits, labels))

    def configure_optimizers(self) -> Any:
        """SGD with Nesterov momentum, biases learning faster than filters; a rate that rises once and falls."""
        config = self.config
        rate = config.learning_rate * config.batch_size / BATCH_OF_RATE
        learned = [param for param in self.parameters() if param.requires_grad]
        groups = [
            {"params": [param for param in learned if param.ndim > 1], "lr": rate, "weight_decay": config.weight_decay},
            {
                "params": [param for param in learned if param.ndim == 1],
                "lr": rate * config.bias_factor,
                "weight_decay": config.weight_decay / config.bias_factor,  # the same decay at each step
            },
        ]
        optimizer = torch.optim.SGD(groups, momentum=config.momentum, nesterov=config.momentum > 0, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.share_of_peak(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def share_of_peak(self, step: int) -> float:
        """Of the learning rate: a straight line up, and one down."""
        peak = self.config.warmup * self.total_steps
        return float(np.interp(step, [0, peak, self.total_steps], [START, 1, END]))
