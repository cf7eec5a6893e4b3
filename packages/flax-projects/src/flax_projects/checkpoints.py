"""Orbax checkpoints of a run: where it stands (`last`) and the model it will be judged by (`best`).

Orbax writes a step into a temporary folder and renames it, and deletes the step before only afterwards: at every moment
there is one whole checkpoint of each kind. Arrays and JSON only; nothing is unpickled.
"""

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from dl_shared.errors import InputError

SPARE_BYTES = 2**20  # for what a checkpoint holds beside its arrays

logging.getLogger("absl").setLevel(logging.ERROR)  # Orbax reports every save at length


class Checkpoints:
    """The two kinds of checkpoint under one folder; each keeps its newest step only.

    Args:
        folder: made when missing.
    """

    def __init__(self, folder: Path) -> None:
        options = ocp.CheckpointManagerOptions(
            max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
        )
        self._folder = folder.absolute()
        self._managers = {
            kind: ocp.CheckpointManager(self._folder / kind, options=options) for kind in ("last", "best")
        }

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        for manager in self._managers.values():
            manager.close()

    def save(self, kind: str, step: int, arrays: Any, record: dict[str, Any]) -> None:
        """Write a tree of arrays and a JSON record. A step that is there already, from before a kill, is the same.

        Raises:
            OSError: if the disk is too full.
        """
        manager = self._managers[kind]
        self._check_space(arrays)
        if step not in manager.all_steps():
            manager.save(step, args=ocp.args.Composite(arrays=_Save(arrays), record=ocp.args.JsonSave(record)))
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
        with _explaining_damage(Path(str(manager.directory)) / str(step)):
            restored = manager.restore(
                step, args=ocp.args.Composite(arrays=_Restore(abstract), record=ocp.args.JsonRestore())
            )
        return step, restored["arrays"], restored["record"]


_Save = ocp.args.StandardSave
_Restore = ocp.args.StandardRestore


@contextmanager
def _explaining_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"the checkpoint {path} is damaged or of another model ({reason}); start a new run") from error
