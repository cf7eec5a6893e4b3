"""Checkpoints are written whole or not at all, and hold tensors and plain values only.

`ModelCheckpoint` writes `best.ckpt`. The state of training is in `last/step=N.ckpt`, of which the two newest are kept:
if the newest is damaged, training goes on from the one before, and a little work is lost.
"""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO
from torch import nn

from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.progress import say

BEST = "best"
KEPT = 2


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's format; the file is on the disk, and complete, before it takes its name."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write tensors and plain values.

        Raises:
            OSError: if the disk is full.
        """
        buffer = io.BytesIO()  # written by us, because torch turns a full disk into a RuntimeError
        torch.save(checkpoint, buffer)
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(buffer.getbuffer())


def last_path(checkpoints: Path, step: int) -> Path:
    """Where the checkpoint after `step` steps lies."""
    return checkpoints / "last" / f"step={step:08d}.ckpt"


def forget_older(checkpoints: Path) -> None:
    """Delete all but the newest checkpoints."""
    for path in newest_first(checkpoints)[KEPT:]:
        path.unlink(missing_ok=True)


def find_last(checkpoints: Path) -> tuple[Path, int] | None:
    """The newest checkpoint that can be read, and its step; None where there is none yet.

    One that is damaged is named on stderr.

    Raises:
        InputError: if there are checkpoints, and none can be read.
    """
    found = newest_first(checkpoints)
    for path in found:
        try:
            return path, int(load_checkpoint(path)["global_step"])
        except InputError as error:
            say(f"note: {error}; trying the one before")
    if found:
        raise InputError(f"no checkpoint in {found[0].parent} can be read; start a new run")
    return None


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU; nothing is unpickled but tensors and plain values.

    Raises:
        InputError: if it is damaged.
    """
    with explaining_damage(path):
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        if "state_dict" not in checkpoint:
            raise KeyError("state_dict")
    return checkpoint


def load_best(run: Path) -> dict[str, Any]:
    """The checkpoint of a run's best epoch; see `load_checkpoint`.

    Raises:
        InputError: if there is none yet, or it is damaged.
    """
    path = run / "checkpoints" / f"{BEST}.ckpt"
    if not path.exists():
        raise InputError(f"{run} has no checkpoint yet; it writes the first after one epoch")
    return load_checkpoint(path)


def fill_in(network: nn.Module, checkpoint: Mapping[str, Any]) -> None:
    """Give a network the weights that the best checkpoint holds of it, as the attribute `network` of its module.

    Raises:
        InputError: if they are of another network.
    """
    weights = {name.removeprefix("network."): tensor for name, tensor in checkpoint["state_dict"].items()}
    with explaining_damage(Path(f"{BEST}.ckpt")):
        network.load_state_dict(weights)


@contextmanager
def explaining_damage(path: Path) -> Iterator[None]:
    """What torch says of a file cut short or changed, or of another model's weights, in one line.

    Raises:
        InputError: naming the file.
    """
    try:
        yield
    except Exception as error:  # what torch raises on damaged bytes may be anything, IndexError and OSError too
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"the checkpoint {path} is damaged or of another model ({reason})") from error


def newest_first(checkpoints: Path) -> list[Path]:
    """The checkpoints to go on from, whether they can be read or not."""
    found = [path for path in (checkpoints / "last").glob("step=*.ckpt") if re.fullmatch(r"step=\d{8,}", path.stem)]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("step=")), reverse=True)
