"""One run of one host, or of the several hosts of a TPU slice: the first keeps the run directory."""

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
        dist.init_process_group("gloo", init_method="xla://")  # for what hosts tell each other, not for tensors

    def from_first(text: str) -> str:
        told = [text]
        dist.broadcast_object_list(told)
        return told[0]

    return start_together(project, config, is_first=device.host == 0, from_first=from_first, **options)


def any_host(device: Device, *flags: bool) -> tuple[bool, ...]:
    """Each flag, or'ed over all hosts, so that all of them take the same turn; every host must call it."""
    if device.hosts == 1:
        return flags
    import torch
    import torch.distributed as dist

    counts = torch.tensor(flags, dtype=torch.int32)
    dist.all_reduce(counts)
    return tuple(bool(count) for count in counts.tolist())
