"""Orbax checkpoints of a run: where it stands (`last`) and the model it will be judged by (`best`).

Orbax writes a step into a temporary folder, renames it, and only then deletes the step before: from the first save on
there is always one whole checkpoint of each kind. It holds arrays and JSON only; nothing is unpickled.
"""

import errno
import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from dl_shared.errors import InputError

SPARE_BYTES = 2**20  # for what a checkpoint holds beside its arrays

logging.getLogger("absl").setLevel(logging.CRITICAL)  # Orbax reports every save at length; its errors are ours to tell


class Checkpoints:
    """The two kinds of checkpoint under one folder; each keeps its newest step only.

    Args:
        folder: made when missing.

    Raises:
        InputError: if what is there is damaged.
    """

    def __init__(self, folder: Path) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._folder = folder.absolute()
        self._managers = {}
        for kind in ("last", "best"):
            (self._folder / kind).mkdir(parents=True, exist_ok=True)
            with _explaining_damage(self._folder / kind):  # of metadata, which is read at once
                self._managers[kind] = ocp.CheckpointManager(self._folder / kind, options=options)

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers.values():
            manager.close()

    def save(self, kind: str, step: int, arrays: Any, record: dict[str, Any]) -> None:
        """Write a tree of arrays and a JSON record.

        A step that is there already, from before a kill, holds the same and is left alone.

        Raises:
            OSError: if the disk is too full.
        """
        manager = self._managers[kind]
        self._check_space(arrays)
        if step not in manager.all_steps():
            both = ocp.args.Composite(arrays=ocp.args.StandardSave(arrays), record=ocp.args.JsonSave(record))
            manager.save(step, args=both)
            manager.wait_until_finished()

    def _check_space(self, arrays: Any) -> None:
        """Refuse before Orbax starts: on a full disk each of its threads would print a traceback of its own."""
        needed = sum(array.nbytes for array in jax.tree.leaves(arrays)) + SPARE_BYTES
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._folder))

    def restore(self, kind: str, like: Any) -> tuple[int, Any, dict[str, Any]] | None:
        """The newest step of a kind, its arrays and its record; None if there is none yet.

        Args:
            kind: `last` or `best`.
            like: a tree of arrays of the same structure, shapes, types and placement.

        Raises:
            InputError: if the checkpoint is damaged or belongs to another model.
        """
        manager = self._managers[kind]
        step = manager.latest_step()
        if step is None:
            return None
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        both = ocp.args.Composite(arrays=ocp.args.StandardRestore(abstract), record=ocp.args.JsonRestore())
        with _explaining_damage(self._folder / kind / str(step)), _only_the_first_error_told():
            restored = manager.restore(step, args=both)
        return step, restored["arrays"], restored["record"]


@contextmanager
def _explaining_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # TensorStore's errors are of no class of their own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"the checkpoint {path} is damaged or of another model ({reason}); start a new run") from error


@contextmanager
def _only_the_first_error_told() -> Iterator[None]:
    """Arrays are read side by side; once one has failed, threads print a traceback for each other that fails."""
    hook = sys.unraisablehook
    sys.unraisablehook = lambda _: None
    yield
    sys.unraisablehook = hook  # after an error they go on failing for a while, and the process ends


def restore_best(run: Path, like: Any) -> Any:
    """The arrays of a run's best epoch.

    Args:
        run: its directory.
        like: see `Checkpoints.restore`.

    Raises:
        InputError: if the run has no checkpoint yet, or it is damaged.
    """
    with Checkpoints(run / "checkpoints") as checkpoints:
        best = checkpoints.restore("best", like)
    if best is None:
        raise InputError(f"{run} has no checkpoint yet; it writes the first after one epoch")
    return best[1]
