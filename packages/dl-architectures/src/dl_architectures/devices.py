"""Where to compute: what the options `--device` and `--precision` mean in PyTorch."""

import torch

from dl_shared.config import Device
from dl_shared.errors import InputError


def find_device(name: Device, *, threads: int | None = None) -> torch.device:
    """The device asked for; `auto` takes an accelerator where there is one.

    Args:
        name: the option `--device`.
        threads: how many of the CPU's cores one operation may use; PyTorch's own choice unless given.

    Raises:
        InputError: if there is no such device here.
    """
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "tpu":
        raise InputError("--device tpu is not for plain PyTorch; take cpu, gpu or auto")
    if name == "gpu" and accelerator is None:
        raise InputError("PyTorch finds no GPU here; take --device cpu or auto")
    if threads is not None:
        torch.set_num_threads(threads)
    return torch.device("cpu") if name == "cpu" or accelerator is None else accelerator


def describe_device(device: torch.device) -> str:
    """The device in words, for the record of a run."""
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"{device.type}, threads: {torch.get_num_threads()}"
    )
