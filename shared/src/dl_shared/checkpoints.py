"""Checkpoints as one safetensors file each: named arrays, and JSON in its header. Nothing unpickled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dl_shared.errors import InputError
from dl_shared.files import atomic_path

Arrays = dict[str, np.ndarray]


def save(path: Path, values: Mapping[str, Any], **parts: Mapping[str, np.ndarray]) -> None:
    """Write named arrays and JSON values as one file, which appears whole or not at all.

    Args:
        path: of the file.
        values: what JSON can hold.
        parts: arrays by name, such as `model={"head.weight": ...}`.

    Raises:
        OSError: if the disk is full.
    """
    arrays = {
        f"{part}.{name}": np.ascontiguousarray(value).reshape(value.shape)  # which makes one number an array of one
        for part, named in parts.items()
        for name, value in named.items()
    }
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {"json": json.dumps(values)})


def load(path: Path) -> tuple[dict[str, Arrays], dict[str, Any]]:
    """The parts of a checkpoint, and its values.

    Raises:
        InputError: if the file is missing, cut short or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; the run has no such checkpoint yet")
    parts: dict[str, Arrays] = {}
    try:
        with safe_open(path, framework="np") as file:
            values = json.loads((file.metadata() or {})["json"])
            for name in file.keys():  # noqa: SIM118 (not a dict)
                part, _, rest = name.partition(".")
                parts.setdefault(part, {})[rest] = file.get_tensor(name)
        if not isinstance(values, dict):
            raise ValueError("its values have no names")
    except (SafetensorError, OSError, KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise InputError(f"the checkpoint {path} is damaged ({error})") from None
    return parts, values
