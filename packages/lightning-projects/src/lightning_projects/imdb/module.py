"""The optimization loop, written by hand: what happens between a batch and the next weights.

Lightning's automatic optimization would hide what fine-tuning is made of; here one `training_step` is one update.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pytorch_lightning.strategies import ParallelStrategy
from torch import Tensor, nn

from dl_shared.schedules import warmup_linear
from lightning_projects.exact import ExactModule
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import Part, Step
from lightning_projects.imdb.model import count_layers
from lightning_projects.imdb.optimizer import make_optimizer
from lightning_projects.processes import count_processes


def batch_sums(
    losses: Float[Tensor, " reviews"],
    logits: Float[Tensor, "reviews 2"],
    labels: Int[Tensor, " reviews"],
    weights: Float[Tensor, " reviews"],
) -> Float[Tensor, " 5"]:
    """Sum of the losses, true and false positives, false and true negatives; a review of weight 0 does not count."""
    predicted, actual = logits.argmax(1).bool(), labels.bool()
    kinds = torch.stack([losses, predicted & actual, predicted & ~actual, ~predicted & actual, ~predicted & ~actual])
    return (kinds * weights).sum(1)


class Classifier(ExactModule):
    """The network in training.

    Args:
        config: of the run.
        network: before its first step.
        total_steps: of the whole training, over which the learning rate rises and falls.
    """

    def __init__(self, config: Config, network: nn.Module, total_steps: int) -> None:
        # A network that was loaded is in evaluation mode, and Lightning keeps the mode it finds.
        super().__init__(config, network.train(), total_steps, sums=5)
        self.automatic_optimization = False
        self.config = config

    @staticmethod
    def scores(sums: Float[Tensor, " 5"]) -> dict[str, Tensor]:
        """`loss` (nats), `accuracy`, and of the class positive `precision`, `recall` and `f1`."""
        loss, tp, fp, fn, tn = sums
        count = tp + fp + fn + tn
        return {
            "loss": loss / count,
            "accuracy": (tp + tn) / count,
            "precision": tp / (tp + fp).clamp(min=1),
            "recall": tp / (tp + fn).clamp(min=1),
            "f1": 2 * tp / (2 * tp + fp + fn).clamp(min=1),
        }

    def forward(self, part: Part) -> Float[Tensor, "reviews 2"]:
        return self.network(input_ids=part.input_ids, attention_mask=part.mask.long()).logits.float()

    def training_step(self, batch: Step, batch_idx: int) -> None:
        """One update: gradients of all parts, added up; clipping; AdamW; the next learning rate.

        Each review weighs the same, in a last batch that is not full too: losses are summed, and divided by the
        number of reviews in all parts and processes of the step.
        """
        optimizer, schedule = self.optimizers(), self.lr_schedulers()
        assert not isinstance(optimizer, list)
        total = torch.zeros((), device=self.device)
        for number, part in enumerate(batch.parts, start=1):
            with self.gradients_kept_here(number < len(batch.parts)):
                logits = self(part)
                losses = F.cross_entropy(logits, part.labels, reduction="none")
                loss = (losses * part.weights).sum() / batch.reviews
                # Processes average their gradients, which are shares of a sum.
                self.manual_backward(loss * count_processes())
            total += loss.detach()
            self.trained.add(batch_sums(losses, logits, part.labels, part.weights))
        self.clip(optimizer.optimizer)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()  # type: ignore[union-attr,call-arg]
        self.log("loss", total, prog_bar=True)

    @contextlib.contextmanager
    def gradients_kept_here(self, more: bool) -> Iterator[None]:
        """Within, processes do not average their gradients where `more` parts are to come: once for a step will do."""
        strategy = self.trainer.strategy
        if more and isinstance(strategy, ParallelStrategy):
            with strategy.block_backward_sync():
                yield
        else:
            yield

    def clip(self, optimizer: torch.optim.Optimizer) -> None:
        """Scale the gradients down to a norm of at most `clip`."""
        scaler = getattr(self.trainer.precision_plugin, "scaler", None)
        if scaler is not None:  # fp16: the norm is that of the gradients themselves
            scaler.unscale_(optimizer)
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.parameters(), self.config.clip)

    def validation_step(self, batch: Part, batch_idx: int) -> None:
        logits = self(batch)
        losses = F.cross_entropy(logits, batch.labels, reduction="none")
        self.validated.add(batch_sums(losses, logits, batch.labels, batch.weights))

    def configure_optimizers(self) -> Any:
        """AdamW, slower in lower layers; the rates are set by hand after each step."""
        optimizer = make_optimizer(self.network, count_layers(self.network), self.config)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: warmup_linear(step, self.total_steps, self.config.warmup)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
