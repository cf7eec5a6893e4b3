"""Several processes as one run: on several hosts, or one process for each device.

Every process runs the same program on the same data. The arrays of a mesh span all devices of all processes, so a
training step is written as for one process. The rest is here: the processes join, agree when to stop, and leave the run
directory to the first of them.
"""

import os
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from dl_shared.errors import InputError
from dl_shared.processes import start_together
from dl_shared.runs import Run
from flax_projects.config import FlaxConfig

PATH_BYTES = 4096  # no longer than Linux takes a path to be


def start_run(project: str, config: FlaxConfig, **options: Any) -> Run:
    """`Run.start` for one process or many: the first keeps the run directory, the others follow it.

    The run directory must be in a folder that all hosts see: each reads the checkpoints from it.

    Args:
        project: the console script's name.
        config: `distributed` is read; with it, the processes are joined first.
        options: for `Run.start`.

    Raises:
        InputError: as `Run.start`, in every process; if the processes cannot be joined.
    """
    if config.distributed:
        _join()
    if jax.process_count() == 1:
        return Run.start(project, config, **options)
    return start_together(project, config, is_first=jax.process_index() == 0, from_first=_from_first, **options)


def any_process(*flags: bool) -> tuple[bool, ...]:
    """Each flag, or'ed over all processes, so that all processes take the same branch; every process must call it."""
    if jax.process_count() == 1:
        return flags
    gathered = np.asarray(multihost_utils.process_allgather(np.array(flags))).reshape(-1, len(flags))
    return tuple(map(bool, gathered.max(axis=0)))


def wait_for_all(name: str) -> None:
    """Return when every process has come here."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(name)


def _join() -> None:
    """`jax.distributed.initialize`, which knows Slurm, Open MPI, Kubernetes and TPU pods by itself.

    Elsewhere three environment variables tell: JAX_COORDINATOR_ADDRESS (host:port of the first process, read by JAX),
    JAX_NUM_PROCESSES and JAX_PROCESS_ID.
    """
    try:
        count, number = (
            None if (told := os.environ.get(name)) is None else int(told)
            for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID")
        )
        jax.distributed.initialize(num_processes=count, process_id=number)
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"the processes cannot be joined ({reason}); start them by Slurm, Open MPI or Kubernetes, or set"
            " JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID for each"
        ) from None


def _from_first(text: str) -> str:
    """The first process's text, in every process."""
    encoded = text.encode()
    padded = np.frombuffer(encoded.ljust(PATH_BYTES, b"\0"), np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))).rstrip(b"\0").decode()
