"""One run of one process or of many that `accelerate launch` starts: the first keeps the run directory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DataLoaderConfiguration, KwargsHandler, broadcast_object_list

from accelerate_projects.config import AccelerateConfig
from dl_shared.errors import InputError, LostWorkerError
from dl_shared.processes import start_together
from dl_shared.runs import Run
from dl_shared.signals import ignore_sigterm

# What gloo, NCCL and the store through which processes meet say when a process is gone.
LOST = ("Connection closed by peer", "Connection reset by peer", "NCCL", "Broken pipe", "Socket Timeout")
MIXED_PRECISION = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}


def make_accelerator(config: AccelerateConfig, *handlers: KwargsHandler) -> Accelerator:
    """The `Accelerator` that the options ask for; every process makes one.

    Every batch is cut into equal parts, one for each process (`split_batches`), so that `--batch-size` means the same
    for any number of processes.

    Args:
        config: of the run.
        handlers: for the `Accelerator`, such as options of `DistributedDataParallel`.

    Raises:
        InputError: if this machine lacks the device or the number format, or a batch cannot be cut into equal parts.
    """
    if config.device == "tpu":
        raise InputError("--device tpu is for xla-projects; take cpu, gpu or auto")
    gpu = torch.accelerator.is_available()
    if config.device == "gpu" and not gpu:
        raise InputError("PyTorch finds no GPU here; take --device cpu or auto")
    on_cpu = config.device == "cpu" or not gpu
    if on_cpu and config.precision == "fp16":
        raise InputError("--precision fp16 needs a GPU; on a CPU take bf16 or fp32")
    AcceleratorState._reset_state()  # an earlier run of this process may have had another number format
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=MIXED_PRECISION[config.precision],
        gradient_accumulation_steps=config.accumulate,
        dataloader_config=DataLoaderConfiguration(split_batches=True, non_blocking=True),
        kwargs_handlers=list(handlers),
        rng_types=[],  # whatever is drawn is a function of the seed and the step: there is no state to agree on
    )
    parts = config.accumulate * accelerator.num_processes
    if config.batch_size % parts:
        accelerator.end_training()
        raise InputError(
            f"--batch-size {config.batch_size} cannot be cut into {parts} equal parts:"
            f" {accelerator.num_processes} processes accumulate {config.accumulate} each"
        )
    return accelerator


def start_run(accelerator: Accelerator, project: str, config: AccelerateConfig, **options: Any) -> Run:
    """`Run.start` for one process or many: the first keeps the run directory, the others follow it.

    Raises:
        InputError: as `Run.start`, in every process.
    """
    if accelerator.num_processes == 1:
        return Run.start(project, config, **options)

    def from_first(text: str) -> str:
        (told,) = broadcast_object_list([text])
        return str(told)

    return start_together(project, config, is_first=accelerator.is_main_process, from_first=from_first, **options)


def any_process(accelerator: Accelerator, *flags: bool) -> tuple[bool, ...]:
    """Each flag, or'ed over all processes, so that all of them take the same turn; every process must call it."""
    if accelerator.num_processes == 1:
        return flags
    counts = accelerator.reduce(torch.tensor(flags, dtype=torch.int32, device=accelerator.device), "sum")
    return tuple(bool(count) for count in counts.tolist())


@contextmanager
def explaining_lost_worker(accelerator: Accelerator) -> Iterator[None]:
    """Say in one line that another process has died, which backends say in many.

    Raises:
        LostWorkerError: in place of the error of the backend.
    """
    try:
        yield
    except RuntimeError as error:
        if accelerator.num_processes == 1 or not any(sign in str(error) for sign in LOST):
            raise
        ignore_sigterm()  # of the launcher, which ends all processes now
        raise LostWorkerError("another process was lost; start again to go on from the last checkpoint") from error
