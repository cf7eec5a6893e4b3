"""Runs of this package stopped and resumed, and what two of them end with."""

from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from dl_shared.testing import training


class Training(training.Training):
    package = "flax_projects"
    checkpoint = "checkpoints/last/[0-9]*"
    imported = ("flax_projects.cifar10.train", "flax_projects.shakespeare.train", "flax_projects.stocks.train")


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same arrays in both checkpoints, bit for bit, the same log and the same predictions."""
    training.assert_same_results(run, reference)
    for kind in ("last", "best"):
        (step, leaves), (other_step, others) = _arrays(run, kind), _arrays(reference, kind)
        assert step == other_step, kind
        assert len(leaves) == len(others) > 3
        for leaf, other in zip(leaves, others, strict=True):
            np.testing.assert_array_equal(leaf, other)


def weights_of(run: Path) -> dict[str, np.ndarray]:
    """Of the best epoch."""
    return {f"weights {number}": leaf for number, leaf in enumerate(_arrays(run, "best")[1])}


def _arrays(run: Path, kind: str) -> tuple[int | None, list[np.ndarray]]:
    with ocp.CheckpointManager(run / "checkpoints" / kind) as manager:
        step = manager.latest_step()
        restored = manager.restore(step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore()))
    return step, [np.asarray(leaf) for leaf in jax.tree.leaves(restored["arrays"])]
