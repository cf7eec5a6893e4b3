"""Baselines are paid for once: results kept on disk under the fingerprint of the data they came from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dl_shared.files import atomic_path, cache_dir


def cached(
    name: str, fingerprint: str, compute: Callable[[], dict[str, np.ndarray]], version: int = 1
) -> dict[str, np.ndarray]:
    """The arrays that `compute` returns, from disk when they were computed before.

    Args:
        name: which baseline; part of the file's name, so letters, digits, `-` and `_`.
        fingerprint: hexadecimal digest of everything that `compute` depends on (data, seed, settings).
        compute: called when there is no file yet, or when it is damaged; returns arrays of numbers or strings.
        version: raise it when the baseline's code changes its results.

    Raises:
        ValueError: if `compute` returns an array of objects, which could only be stored as a pickle.
    """
    path = cache_dir() / "baselines" / f"{name}-v{version}-{fingerprint[:32]}.npz"
    stored = _read(path)
    if stored is not None:
        return stored
    result = {key: np.asarray(value) for key, value in compute().items()}
    if objects := [key for key, value in result.items() if value.dtype.hasobject]:
        raise ValueError(f"baseline {name} returned arrays of objects: {', '.join(objects)}")
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **result)  # type: ignore[arg-type]  # arrays, not options
    return result


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except FileNotFoundError:
        return None
    except Exception:  # damaged, in which zipfile, zlib and NumPy fail in every way there is: as good as absent
        return None
