"""Configurations that are trained to be compared, each in a process of its own."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dl_shared.progress import say


def train_each(train: Callable[..., Path], variants: Mapping[str, Any], runs_dir: Path | None) -> dict[str, Path]:
    """Train one after another, each in a process of its own: none begins with the memory or the caches of another.

    Args:
        train: as the function of a verb `train`, importable by name.
        variants: configurations, by what they are called.
        runs_dir: where the runs are kept.

    Returns:
        The run of each.

    Raises:
        InputError: if one of them cannot be trained.
    """
    runs = {}
    for name, config in variants.items():
        say(f"{name}:")
        runs[name] = in_own_process(train, config, runs_dir=runs_dir)
    return runs


def in_own_process(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function returns that is importable by name, called in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()
