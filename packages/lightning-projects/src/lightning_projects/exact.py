"""What makes a resumed run end like one never stopped: loaders with a state, dropout seeded by step, exact sums."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_projects.config import LightningConfig
from lightning_projects.processes import sum_over_processes


class ResumableLoader:
    """The batches of an epoch, with a count of those handed out; a project defines their number and contents.

    Lightning keeps `state_dict` in every checkpoint, and the loader goes on with the next batch. Nothing else needs to
    be kept, because an epoch is drawn from the seed and its number. Each process is to take its share of every batch,
    so that a run resumed by more or fewer processes sees the same batches.
    """

    def __init__(self) -> None:
        self.epoch = self.batch = 0

    def __len__(self) -> int:
        """Batches of an epoch."""
        raise NotImplementedError

    def batches(self, epoch: int, first: int) -> Iterator[Any]:
        """Those of an epoch, from number `first` on: a function of its arguments and the seed."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Any]:
        if self.batch == len(self):
            self.epoch, self.batch = self.epoch + 1, 0
        for batch in self.batches(self.epoch, self.batch):
            self.batch += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        return {"epoch": self.epoch, "batch": self.batch}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.epoch, self.batch = state["epoch"], state["batch"]


def generator(*numbers: int) -> torch.Generator:
    """Random numbers that are a function of these, such as a seed and the number of an epoch."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1))


class Tally:
    """Sums over the examples seen so far, for means that do not depend on how examples were batched.

    Args:
        size: how many sums.
    """

    def __init__(self, size: int) -> None:
        self.sums = torch.zeros(size, dtype=torch.float64)

    def add(self, sums: Float[Tensor, " size"]) -> None:
        """Count a batch."""
        exact = torch.float32 if sums.device.type == "mps" else torch.float64  # Metal has no float64
        self.sums = self.sums.to(sums.device, exact) + sums.detach()


class ExactModule(pl.LightningModule):
    """A network in training, whose metrics of an epoch are those of all examples of all processes.

    A project adds sums of each batch to `trained` or `validated`, and says in `scores` what metrics they make; these
    are logged as `train/NAME` and `validation/NAME`, also of an epoch that was interrupted.

    Args:
        config: of the run.
        network: before its first step.
        total_steps: of the whole training, over which the learning rate rises and falls.
        sums: how many `scores` takes.
    """

    def __init__(self, config: LightningConfig, network: nn.Module, total_steps: int, *, sums: int) -> None:
        super().__init__()
        self.seed, self.network, self.total_steps, self.size = config.seed, network, total_steps, sums
        self.trained, self.validated = Tally(sums), Tally(sums)

    @staticmethod
    def scores(sums: Float[Tensor, " size"]) -> dict[str, Tensor]:
        """The metrics that sums over all examples make."""
        raise NotImplementedError

    def on_train_epoch_start(self) -> None:
        self.trained = Tally(self.size)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Dropout draws from torch's own generator: let it draw a function of the step, also after a resumption.
        step = (self.seed, self.global_step, self.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def on_train_epoch_end(self) -> None:
        self._log("train", self.trained)

    def on_validation_epoch_start(self) -> None:
        self.validated = Tally(self.size)

    def on_validation_epoch_end(self) -> None:
        self._log("validation", self.validated)

    def _log(self, split: str, tally: Tally) -> None:
        scores = self.scores(sum_over_processes(tally.sums))
        self.log_dict({f"{split}/{name}": value.float() for name, value in scores.items()})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["trained"] = sum_over_processes(self.trained.sums)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.trainer.is_global_zero:  # for all processes together
            self.trained.sums = checkpoint["trained"]
