"""A slice of TPUs has several hosts, and on each runs the same command: the first host keeps the run directory."""

from typing import Any

from dl_shared.processes import start_together
from dl_shared.runs import Run
from xla_projects.config import XlaConfig
from xla_projects.device import Device


def start_run(device: Device, project: str, config: XlaConfig, **options: Any) -> Run:
    """`Run.start` on one host or on each of several: the first keeps the run directory, the others follow it.

    Raises:
        InputError: as `Run.start`, on every host.
    """
    if device.hosts == 1:
        return Run.start(project, config, **options)
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("gloo", init_method="xla://")  # beside XLA: what is said here is for the hosts

    def from_first(text: str) -> str:
        told = [text]
        dist.broadcast_object_list(told)
        return told[0]

    return start_together(project, config, is_first=device.host == 0, from_first=from_first, **options)


def on_any_host(device: Device, flag: bool) -> bool:
    """Whether it is so on one of them, so that all take the same turn; every host must call it."""
    if device.hosts == 1:
        return flag
    import torch
    import torch.distributed as dist

    count = torch.tensor(int(flag))
    dist.all_reduce(count)
    return bool(count)
