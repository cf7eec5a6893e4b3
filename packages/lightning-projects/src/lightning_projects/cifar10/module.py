"""What Lightning needs to know to train the network: loss, metrics, optimizer and schedule."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import Inputs
from lightning_projects.cifar10.model import Network, mirrored_too
from lightning_projects.processes import sum_over_processes

BATCH_OF_RATE = 1024  # for which `learning_rate` is given
START, END = 0.2, 0.07  # of the schedule, as shares of its peak


class Tally:
    """Sums over the images seen so far, from which exact means are made, however they came in batches."""

    def __init__(self) -> None:
        self.sums = torch.zeros(3)
        """Loss, right answers, images."""

    def add(
        self, losses: Float[Tensor, ""], logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]
    ) -> None:
        """Count a batch whose losses have this mean."""
        correct = (logits.argmax(1) == labels).sum()
        count = torch.full_like(losses, len(labels))
        self.sums = self.sums.to(losses.device) + torch.stack([losses * count, correct.to(losses), count])

    def means(self) -> dict[str, Tensor]:
        """`loss` (nats) and `accuracy`, over the images of all processes."""
        loss, correct, count = sum_over_processes(self.sums)
        return {"loss": loss / count, "accuracy": correct / count}


class Classifier(pl.LightningModule):
    """The network in training.

    Args:
        config: of the run.
        network: before its first step, its stem filled.
        total_steps: of the whole training, over which the learning rate rises and falls.
    """

    def __init__(self, config: Config, network: Network, total_steps: int) -> None:
        super().__init__()
        self.config, self.network, self.total_steps = config, network, total_steps
        self.trained, self.validated = Tally(), Tally()

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.network(inputs)

    def on_train_epoch_start(self) -> None:
        self.trained = Tally()

    def on_train_batch_start(self, batch: Inputs, batch_idx: int) -> None:
        # Dropout draws from torch's own generator: let it draw a function of the step, also after a resumption.
        step = (self.config.seed, self.global_step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def training_step(self, batch: Inputs, batch_idx: int) -> Float[Tensor, ""]:
        inputs, labels = batch
        logits = self(inputs)
        loss = F.cross_entropy(logits, labels, label_smoothing=self.config.label_smoothing)
        self.trained.add(loss.detach(), logits.detach(), labels)
        self.log("loss", loss, prog_bar=True)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"train/{name}": value for name, value in self.trained.means().items()})

    def on_validation_epoch_start(self) -> None:
        self.validated = Tally()

    def validation_step(self, batch: Inputs, batch_idx: int) -> None:
        inputs, labels = batch
        logits = mirrored_too(self.network, inputs) if self.config.flip_test else self(inputs)
        self.validated.add(F.cross_entropy(logits, labels), logits, labels)

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"validation/{name}": value for name, value in self.validated.means().items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["trained"] = sum_over_processes(self.trained.sums)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.trainer.is_global_zero:  # for all processes together
            self.trained.sums = checkpoint["trained"]

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
