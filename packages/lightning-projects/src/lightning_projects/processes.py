"""Several processes as one run: the first keeps the run directory, the others follow it.

With `--devices N` Lightning starts the other processes of this host itself, and they read the run's directory from an
environment variable. Under torchrun or Slurm all start at once: they join, and the first sends it to the others.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning.plugins.environments import ClusterEnvironment, SLURMEnvironment, TorchElasticEnvironment

from dl_shared.errors import InputError
from dl_shared.processes import Follower, start_together
from dl_shared.runs import Run
from lightning_projects.config import LightningConfig

RUN_VARIABLE = "LIGHTNING_PROJECTS_RUN"
PATH_BYTES = 4096  # no longer than Linux takes a path to be


@contextmanager
def start_run(project: str, config: LightningConfig, **options: Any) -> Iterator[Run]:
    """`Run.start` for one process or many: the first keeps the run directory, the others follow it.

    Args:
        project: the console script's name.
        config: `num_nodes` is read.
        options: for `Run.start`.

    Raises:
        InputError: as `Run.start`, in every process; if several hosts are to take part and nothing starts them.
    """
    try:
        with _start(project, config, **options) as run:
            yield run
    finally:  # the next run of this process is a new one
        os.environ.pop(RUN_VARIABLE, None)


def _start(project: str, config: LightningConfig, **options: Any) -> Run:
    if RUN_VARIABLE in os.environ:
        return Follower(Path(os.environ[RUN_VARIABLE]), resumed=options.get("resume") is not None)
    environment = _started_by()
    if environment is None or environment.world_size() == 1:
        if config.num_nodes > 1:
            raise InputError("several hosts need torchrun or srun to start the processes, see the README")
        run = Run.start(project, config, **options)
        os.environ[RUN_VARIABLE] = str(run.path)
        return run
    _join(environment)
    first = environment.global_rank() == 0
    return start_together(project, config, is_first=first, from_first=_from_first, **options)


def sum_over_processes(tensor: torch.Tensor) -> torch.Tensor:
    """The same in every process; with one process, the tensor itself."""
    if count_processes() == 1:
        return tensor
    summed = tensor.clone()
    dist.all_reduce(summed)
    return summed


class MeanOverProcesses(torch.autograd.Function):
    """The mean over all processes of a tensor that each has; its gradient is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> torch.Tensor:
        return sum_over_processes(tensor) / count_processes()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return sum_over_processes(gradient.contiguous()) / count_processes()


def count_processes() -> int:
    """How many train as one, this one among them."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def any_process(device: torch.device, *flags: bool) -> tuple[bool, ...]:
    """Each flag, or'ed over all processes, so that all of them take the same turn; every process must call it."""
    if count_processes() == 1:
        return flags
    counts = sum_over_processes(torch.tensor(flags, dtype=torch.int32, device=device))
    return tuple(bool(count) for count in counts.tolist())


def _started_by() -> ClusterEnvironment | None:
    for environment in (TorchElasticEnvironment, SLURMEnvironment):
        if environment.detect():
            return environment()
    return None


def _join(environment: ClusterEnvironment) -> None:
    """Open the process group, which the Trainer then finds open."""
    os.environ.setdefault("MASTER_ADDR", environment.main_address)
    os.environ.setdefault("MASTER_PORT", str(environment.main_port))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, rank=environment.global_rank(), world_size=environment.world_size())


def _from_first(text: str) -> str:
    """The first process's text, in every process."""
    encoded = torch.frombuffer(bytearray(text.encode().ljust(PATH_BYTES, b"\0")), dtype=torch.uint8)
    dist.broadcast(encoded, src=0)
    return bytes(encoded.tolist()).rstrip(b"\0").decode()
