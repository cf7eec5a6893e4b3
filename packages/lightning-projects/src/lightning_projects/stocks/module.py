"""What Lightning needs to know to train the network: loss, metrics, optimizer and schedule."""

import math
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from lightning_projects.processes import sum_over_processes
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.data import Batch, TrainBatch
from lightning_projects.stocks.model import Forecaster


class Tally:
    """Sums over the forecasts seen so far, from which exact means are made, however they came in batches."""

    def __init__(self) -> None:
        self.sums = torch.zeros(4, dtype=torch.float64)
        """Squared errors, their number, absolute errors, absolute targets."""

    def add(self, outputs: Float[Tensor, "*rows horizon"], targets: Float[Tensor, "*rows horizon"]) -> None:
        """Count some forecasts."""
        errors = (outputs.float() - targets).detach()
        count = torch.tensor(float(errors.numel()), device=errors.device)
        sums = torch.stack([(errors**2).sum(), count, errors.abs().sum(), targets.abs().sum()])
        self.sums = self.sums.to(errors.device) + sums

    def means(self) -> dict[str, Tensor]:
        """`loss` (mean squared error) and `skill` (1 - mean absolute error / that of persistence), of all processes.

        Both of log returns in the network's units, where each day ahead and each volatility count the same.
        """
        squared, count, errors, targets = sum_over_processes(self.sums)
        return {"loss": (squared / count).float(), "skill": (1 - errors / targets.clamp(min=1e-12)).float()}


class Regressor(pl.LightningModule):
    """The network in training, on the mean squared error of log returns in its units, see `Outputs`.

    Args:
        config: of the run.
        network: before its first step.
        total_steps: of the whole training, over which the learning rate rises and falls.
    """

    def __init__(self, config: Config, network: Forecaster, total_steps: int) -> None:
        super().__init__()
        self.config, self.network, self.total_steps = config, network, total_steps
        self.trained, self.validated = Tally(), Tally()

    def forward(self, inputs: Float[Tensor, "batch days features"]) -> Float[Tensor, "batch days horizon"]:
        return self.network(inputs)

    def on_train_epoch_start(self) -> None:
        self.trained = Tally()

    def on_train_batch_start(self, batch: TrainBatch, batch_idx: int) -> None:
        # Dropout draws from torch's own generator: let it draw a function of the step, also after a resumption.
        step = (self.config.seed, self.global_step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Float[Tensor, ""]:
        outputs = self(batch.inputs)
        loss = F.mse_loss(outputs, batch.targets)
        self.trained.add(outputs, batch.targets)
        self.log("loss", loss, prog_bar=True)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log_dict({f"train/{name}": value for name, value in self.trained.means().items()})

    def on_validation_epoch_start(self) -> None:
        self.validated = Tally()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.validated.add(self.network.forecast(batch.inputs), batch.targets)

    def on_validation_epoch_end(self) -> None:
        self.log_dict({f"validation/{name}": value for name, value in self.validated.means().items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["trained"] = sum_over_processes(self.trained.sums)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.trainer.is_global_zero:  # for all processes together
            self.trained.sums = checkpoint["trained"]

    def configure_gradient_clipping(self, optimizer: Any, *_: Any, **__: Any) -> None:
        """By the norm of all gradients together. Lightning's own way refuses fused optimizers in bf16 too."""
        torch.nn.utils.clip_grad_norm_(self.parameters(), self.config.clip)

    def configure_optimizers(self) -> Any:
        """AdamW on one cycle of the learning rate; biases do not decay."""
        config = self.config
        groups = [
            {"params": [param for param in self.parameters() if param.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [param for param in self.parameters() if param.ndim == 1], "weight_decay": 0.0},
        ]
        fused = (
            config.precision != "fp16"
        )  # there it would take back the scale of the gradients only after the clipping
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self.share_of_peak(step))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def share_of_peak(self, step: int) -> float:
        """Of the learning rate: a straight line up, and a cosine down to zero."""
        rising = self.config.warmup * self.total_steps
        if step < rising:
            return (step + 1) / (rising + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - rising) / max(self.total_steps - rising, 1), 1.0)))
