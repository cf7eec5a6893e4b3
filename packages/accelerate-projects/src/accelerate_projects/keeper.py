"""What a loop calls after each batch and each epoch: `dl_shared.keeper` for Accelerate's processes and tensors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, skip_first_batches
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from accelerate_projects import checkpoints
from accelerate_projects.config import AccelerateConfig
from accelerate_projects.processes import any_process, explaining_lost_worker
from dl_shared import keeper
from dl_shared.runs import Run


class Keeper(keeper.Keeper):
    """Keeps a training in its run, and resumes it from there.

    Args:
        accelerator: that prepared what follows.
        config: of the run.
        run: written by the first process, followed by the others.
        model: prepared.
        optimizer: prepared.
        scheduler: prepared, if there is one; its rate must be a function of the number of updates.
        average: of the weights, if there is one, updated after each update; the best epoch is kept as this has it.
        options: of `dl_shared.keeper.Keeper`.
    """

    sums: Tensor | None
    """What this process has added up over the epoch so far."""

    def __init__(
        self,
        accelerator: Accelerator,
        config: AccelerateConfig,
        run: Run,
        model: nn.Module,
        optimizer: Any,
        *,
        scheduler: Any = None,
        average: AveragedModel | None = None,
        **options: Any,
    ) -> None:
        self.accelerator = accelerator
        self.model, self.optimizer, self.scheduler, self.average = model, optimizer, scheduler, average
        self.exact = torch.float32 if accelerator.device.type == "mps" else torch.float64  # Metal has no float64
        super().__init__(config, run, is_first=accelerator.is_main_process, **options)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Around the loop: the progress bar, the clock, Ctrl-C, and processes that die."""
        with super().working(), explaining_lost_worker(self.accelerator):
            yield

    def remaining(self, loader: DataLoader) -> Iterator[Any]:
        """The batches of the epoch that are still to be learned from."""
        batches = skip_first_batches(loader, self.position.step % self.steps_per_epoch * self.config.accumulate)
        for number, batch in enumerate(batches):
            if number == 0:  # not earlier: a loader draws too when it begins, also in the middle of an epoch
                self._seed_dropout()
            yield batch

    def after_batch(self, sums: Float[Tensor, " sums"]) -> None:
        """Count what this process saw; after an update, save if it is time, and stop if asked to.

        Args:
            sums: over the examples of the batch, the loss first and the number of examples last.
        """
        sums = sums.detach().to(self.exact)
        self.sums = sums if self.sums is None else self.sums + sums
        if self.accelerator.sync_gradients:
            self.count_update()
            self._seed_dropout()

    def _seed_dropout(self) -> None:
        """Dropout draws from torch's own generator: what it draws becomes a function of the step and the process."""
        step = (self.config.seed, self.position.step, self.accelerator.process_index)
        torch.manual_seed(int(np.random.SeedSequence(step).generate_state(1)[0]))

    def any_process(self, *flags: bool) -> tuple[bool, ...]:
        return any_process(self.accelerator, *flags)

    def put_sums(self, sums: list[float]) -> None:
        self.sums = None
        if sums:  # those of all processes; the first goes on from them, the others from zeros
            tensor = torch.tensor(sums, dtype=self.exact, device=self.accelerator.device)
            self.sums = tensor if self.is_first else torch.zeros_like(tensor)

    def fetch_sums(self) -> list[float]:
        assert self.sums is not None, "there is no epoch without a batch"
        return self.accelerator.reduce(self.sums, "sum").tolist()

    def write_best(self, scores: dict[str, float]) -> None:
        model = self.accelerator.unwrap_model(self.model) if self.average is None else self.average.module
        checkpoints.save(self.best, scores, model=model.state_dict())

    def write_last(self, position: dict[str, Any]) -> None:
        scaler = self.accelerator.scaler
        values = {
            "position": position,
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        checkpoints.save(
            self.last,
            values,
            model=self.accelerator.unwrap_model(self.model).state_dict(),
            optimizer=checkpoints.optimizer_tensors(self.optimizer),
            average={} if self.average is None else self.average.state_dict(),
        )

    def read_last(self) -> dict[str, Any]:
        parts, values = checkpoints.load(self.last)
        checkpoints.load_weights(self.last, self.accelerator.unwrap_model(self.model), parts["model"])
        checkpoints.load_optimizer(self.optimizer, parts.get("optimizer", {}))
        if self.average is not None:
            checkpoints.load_weights(self.last, self.average, parts["average"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(values["scheduler"])
            for group, rate in zip(self.optimizer.param_groups, self.scheduler.get_last_lr(), strict=True):
                group["lr"] = rate  # the scheduler itself would set it after the next update
        if self.accelerator.scaler is not None and values["scaler"] is not None:
            self.accelerator.scaler.load_state_dict(values["scaler"])
        return values["position"]

    def record_cost(self, **more: Any) -> None:
        on_gpu = self.accelerator.device.type == "cuda"
        if on_gpu:
            more["peak_memory_bytes"] = torch.cuda.max_memory_allocated()
        super().record_cost(
            parameters=sum(param.numel() for param in self.model.parameters()),
            device=torch.cuda.get_device_name() if on_gpu else f"cpu, threads: {torch.get_num_threads()}",
            processes=self.accelerator.num_processes,
            **more,
        )
