"""What Lightning needs to know to train the network: loss, metrics, optimizer and schedule."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from dl_shared.schedules import warmup_cosine
from lightning_projects.exact import ExactModule
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.data import Batch, TrainBatch
from lightning_projects.stocks.model import Forecaster


def error_sums(outputs: Float[Tensor, "*rows horizon"], targets: Float[Tensor, "*rows horizon"]) -> Float[Tensor, " 4"]:
    """Squared errors, their number, absolute errors, absolute targets."""
    errors = (outputs.float() - targets).detach()
    count = torch.full((), float(errors.numel()), device=errors.device)
    return torch.stack([(errors**2).sum(), count, errors.abs().sum(), targets.abs().sum()])


class Regressor(ExactModule):
    """The network in training, on the mean squared error of log returns in its units, see `Outputs`.

    Args:
        config: of the run.
        network: before its first step.
        total_steps: of the whole training, over which the learning rate rises and falls.
    """

    network: Forecaster

    def __init__(self, config: Config, network: Forecaster, total_steps: int) -> None:
        super().__init__(config, network, total_steps, sums=4)
        self.config = config

    @staticmethod
    def scores(sums: Float[Tensor, " 4"]) -> dict[str, Tensor]:
        """`loss` (mean squared error) and `skill` (1 - mean absolute error / that of persistence).

        Both of log returns in the network's units, where each day ahead and each volatility count the same.
        """
        squared, count, errors, targets = sums
        return {"loss": squared / count, "skill": 1 - errors / targets.clamp(min=1e-12)}

    def forward(self, inputs: Float[Tensor, "batch days features"]) -> Float[Tensor, "batch days horizon"]:
        return self.network(inputs)

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Float[Tensor, ""]:
        outputs = self(batch.inputs)
        loss = F.mse_loss(outputs, batch.targets)
        self.trained.add(error_sums(outputs, batch.targets))
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.validated.add(error_sums(self.network.forecast(batch.inputs), batch.targets))

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
        fused = config.precision != "fp16"  # there a fused one takes the gradients' scale back after they were clipped
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=fused)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_cosine(step, self.total_steps, config.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
