"""Runs of this package stopped and resumed, and what two of them end with."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dl_shared.testing import training


class Training(training.Training):
    package = "lightning_projects"
    checkpoint = "checkpoints/last/*.ckpt"
    imported = ("lightning_projects.cifar10.train", "lightning_projects.imdb.train", "lightning_projects.stocks.train")


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same tensors in both checkpoints, bit for bit, the same log and the same predictions."""
    training.assert_same_results(run, reference)
    for name in ("best.ckpt", sorted((reference / "checkpoints" / "last").iterdir())[-1].name):
        leaves, others = (
            dict(tensors(torch.load(next(path.rglob(name)), weights_only=True))) for path in (run, reference)
        )
        assert leaves.keys() == others.keys()
        assert len(leaves) > 10
        for key, leaf in leaves.items():
            assert torch.equal(leaf, others[key]), f"{name}: {key}"


def weights_of(run: Path) -> dict[str, np.ndarray]:
    """Of the best epoch, with all that its checkpoint holds."""
    best = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)
    return {path: tensor.float().numpy() for path, tensor in tensors(best)}


def tensors(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of a checkpoint, by where they are."""
    if isinstance(value, torch.Tensor):
        if not path.startswith("/callbacks"):  # there, scores are kept by the name of a file in this very run
            yield path, value
    elif isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from tensors(inner, f"{path}/{key}")
