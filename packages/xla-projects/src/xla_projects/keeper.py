"""What a loop calls after each update and each epoch: `dl_shared.keeper` for XLA's devices and hosts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dl_shared import keeper
from dl_shared.runs import Run
from xla_projects import checkpoints
from xla_projects.config import XlaConfig
from xla_projects.device import Device, compilations, compile_seconds, fetch
from xla_projects.processes import any_host


class Keeper(keeper.Keeper):
    """Keeps a training in its run, and resumes it from there.

    Args:
        device: that trains.
        config: of the run.
        run: written by the first host, followed by the others.
        model: on the device.
        optimizer: of `make_adamw`.
        sums: how many numbers are added up over an epoch: the loss first, the number of examples last.
        options: of `dl_shared.keeper.Keeper`.
    """

    def __init__(
        self,
        device: Device,
        config: XlaConfig,
        run: Run,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        sums: int,
        **options: Any,
    ) -> None:
        self.device, self.model, self.optimizer, self.count = device, model, optimizer, sums
        self.compiled_before = compilations(), compile_seconds()
        super().__init__(config, run, is_first=device.host == 0, **options)

    def remaining(self, epoch: int) -> Iterator[int]:
        """The updates of an epoch that are still to be made, from 0.

        The device's random numbers begin anew with each, so that what dropout draws is a function of seed and update.
        """
        for step in range(self.position.step - epoch * self.steps_per_epoch, self.steps_per_epoch):
            drawn = np.random.SeedSequence((self.config.seed, self.position.step)).generate_state(1)[0]
            self.device.seed(int(drawn >> 1))
            yield step

    def after_step(self, sums: Float[Tensor, " sums"]) -> None:
        """Count an update; save if it is time, and stop if asked to.

        Args:
            sums: over the epoch so far, this update included; they stay on the device.
        """
        self.sums = sums
        self.count_update()

    def any_process(self, *flags: bool) -> tuple[bool, ...]:
        return any_host(self.device, *flags)

    def put_sums(self, sums: list[float]) -> None:
        self.sums = self.device.put(np.array(sums or [0.0] * self.count, np.float32))

    def fetch_sums(self) -> list[float]:
        return fetch(self.sums).tolist()

    def write_best(self, scores: dict[str, float]) -> None:
        checkpoints.save(self.best, scores, model=checkpoints.weights(self.model))

    def write_last(self, position: dict[str, Any]) -> None:
        optimizer = checkpoints.optimizer_arrays(self.optimizer)
        checkpoints.save(self.last, position, model=checkpoints.weights(self.model), optimizer=optimizer)

    def read_last(self) -> dict[str, Any]:
        parts, position = checkpoints.load(self.last)
        checkpoints.load_weights(self.device, self.last, self.model, parts["model"])
        checkpoints.load_optimizer(self.device, self.optimizer, parts["optimizer"])
        return position

    def record_cost(self, **more: Any) -> None:
        """As the base class; compilations are those of this process."""
        super().record_cost(
            parameters=sum(param.numel() for param in self.model.parameters()),
            device=f"{self.device.kind.lower()} (XLA)",
            devices=self.device.count,
            compilations=compilations() - self.compiled_before[0],
            compile_seconds=compile_seconds() - self.compiled_before[1],
            **more,
        )
