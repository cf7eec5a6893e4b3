"""What two runs whose checkpoints are those of `dl_shared.keeper` end with."""

from pathlib import Path

import numpy as np

from dl_shared import checkpoints
from dl_shared.testing.training import assert_same_results


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same arrays in both checkpoints, bit for bit, the same log and the same predictions."""
    assert_same_results(run, reference)
    for name in ("last", "best"):
        (parts, values), (others, other_values) = (
            checkpoints.load(path / "checkpoints" / f"{name}.safetensors") for path in (run, reference)
        )
        for found in (values, other_values):
            found.get("position", found).pop("train_seconds", None)
        assert values == other_values
        assert parts.keys() == others.keys()
        for part, arrays in parts.items():
            assert arrays.keys() == others[part].keys()
            for key, array in arrays.items():
                assert np.array_equal(array, others[part][key]), f"{name}: {part} {key}"


def weights_of(run: Path) -> checkpoints.Arrays:
    """The weights of the best epoch."""
    parts, _ = checkpoints.load(run / "checkpoints" / "best.safetensors")
    return parts["model"]
