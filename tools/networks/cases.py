"""The networks that several frameworks have, as numbers: one set of weights, one batch, and the layout of both.

    lstm      two layers over 32 days and a head for each of five days ahead; mean squared error of all days
    cnn       whitening stem, two blocks with a skip connection, linear classifier; cross-entropy of smoothed labels
    resnet    the backbone that comes with dl-shared, under a head for ten classes; the same loss

The layout is that of the equations, and no framework's. What is put out comes first, what is put in second:

    matrices     (outputs, inputs)                    as in y = W x
    filters      (outputs, inputs, rows, columns)
    LSTM         (gates, hidden, inputs)              gates: input, forget, cell, output
    images       (images, colours, rows, columns)
    windows      (windows, days, features)

Each framework's file beside this one says how it lays them out itself. Arrays travel between the environments as
safetensors, by names such as `lstm/weights/layers.0.recurrent`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from dl_shared.data.picture_backbones import embedded_folder

Arrays = dict[str, np.ndarray]

WINDOWS, DAYS, FEATURES, HIDDEN, LAYERS, HORIZON = 16, 32, 3, 12, 2, 5
IMAGES, SIDE, CLASSES, LABEL_SMOOTHING = 16, 32, 10, 0.2
STRIDE, WIDTHS, DEPTH = 2, (24, 48), 3
AXES = 3 * (2 * STRIDE) ** 2
"""Of the stem, whose patches are twice the stride wide; each has a filter, and one that is its negative."""


@dataclass(frozen=True)
class Case:
    """The weights, inputs and targets that every framework is given for a network."""

    weights: Arrays
    inputs: np.ndarray
    targets: np.ndarray

    def in_float64(self) -> "Case":
        """The same numbers, with room for more digits of what is made of them; labels stay integers."""
        wide = {name: array.astype(np.float64) for name, array in self.weights.items()}
        targets = self.targets.astype(np.float64) if self.targets.dtype == np.float32 else self.targets
        return Case(wide, self.inputs.astype(np.float64), targets)


@dataclass(frozen=True)
class Outcome:
    """What a framework computes from a case, in the same layout."""

    network: str
    """The class that computed it."""
    outputs: np.ndarray
    """Logits or forecasts of the network as it predicts: normalised by the statistics it was given."""
    loss: float
    """Of the first training step: normalised by the batch."""
    gradients: Arrays
    """Of that loss, to each weight that all frameworks learn."""


def make_cases(seed: int = 0) -> dict[str, Case]:
    """The weights and the batch of each network, drawn from a seed."""
    rng = np.random.default_rng(seed)
    return {"lstm": _lstm(rng), "cnn": _cnn(rng), "resnet": _resnet(rng)}


def _lstm(rng: np.random.Generator) -> Case:
    weights = {"heads.weight": _drawn(rng, HORIZON, HIDDEN), "heads.bias": _drawn(rng, HORIZON)}
    for layer in range(LAYERS):
        inputs = HIDDEN if layer else FEATURES
        weights[f"layers.{layer}.input"] = _drawn(rng, 4, HIDDEN, inputs)
        weights[f"layers.{layer}.recurrent"] = _drawn(rng, 4, HIDDEN, HIDDEN)
        weights[f"layers.{layer}.bias"] = _drawn(rng, 4, HIDDEN)
    return Case(weights, _normal(rng, WINDOWS, DAYS, FEATURES), _normal(rng, WINDOWS, DAYS, HORIZON))


def _cnn(rng: np.random.Generator) -> Case:
    weights = {"stem": _drawn(rng, AXES, 3, 2 * STRIDE, 2 * STRIDE)}
    before = 2 * AXES
    for block, width in enumerate(WIDTHS):
        for layer in range(DEPTH):
            name = f"blocks.{block}.{layer}"
            weights[f"{name}.filters"] = _drawn(rng, width, before, 3, 3)
            weights[f"{name}.bias"] = 0.1 * _normal(rng, width)
            weights[f"{name}.mean"] = 0.1 * _normal(rng, width)
            weights[f"{name}.variance"] = rng.uniform(0.5, 2.0, width).astype(np.float32)
            before = width
    weights["classifier"] = _drawn(rng, CLASSES, before)
    return Case(weights, *_pictures(rng))


def _resnet(rng: np.random.Generator) -> Case:
    stored = load_file(embedded_folder() / "model.safetensors")
    weights = {name: array.astype(np.float32) for name, array in stored.items() if array.dtype == np.float16}
    features = weights["classifier.1.weight"].shape[1]
    weights["classifier.1.weight"] = _drawn(rng, CLASSES, features)
    weights["classifier.1.bias"] = _drawn(rng, CLASSES)
    return Case(weights, *_pictures(rng))


def _pictures(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return _normal(rng, IMAGES, 3, SIDE, SIDE), rng.integers(0, CLASSES, IMAGES)


def _drawn(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Random weights, scaled so that outputs are about as large as inputs."""
    fan_in = np.prod(shape[1:]) if len(shape) in (2, 4) else shape[-1]
    return _normal(rng, *shape) / np.sqrt(fan_in, dtype=np.float32)


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)


def write_cases(path: Path, cases: dict[str, Case]) -> None:
    """For the other environments to read."""
    arrays: Arrays = {}
    for name, case in cases.items():
        arrays |= {f"{name}/inputs": case.inputs, f"{name}/targets": case.targets}
        arrays |= {f"{name}/weights/{part}": array for part, array in case.weights.items()}
    save_file(arrays, path)


def read_cases(path: Path) -> dict[str, Case]:
    """What `write_cases` wrote."""
    arrays = load_file(path)
    return {
        name: Case(_under(arrays, f"{name}/weights/"), arrays[f"{name}/inputs"], arrays[f"{name}/targets"])
        for name in _networks(arrays)
    }


def write_outcomes(path: Path, outcomes: dict[str, Outcome]) -> None:
    """For the comparison to read."""
    arrays: Arrays = {}
    for name, outcome in outcomes.items():
        arrays |= {f"{name}/outputs": outcome.outputs, f"{name}/loss": np.float64(outcome.loss).reshape(1)}
        arrays |= {f"{name}/gradients/{part}": array for part, array in outcome.gradients.items()}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    save_file(contiguous, path, {name: outcome.network for name, outcome in outcomes.items()})


def read_outcomes(path: Path) -> dict[str, Outcome]:
    """What `write_outcomes` wrote."""
    arrays = load_file(path)
    with safe_open(path, "numpy") as file:
        classes = file.metadata()
    return {
        name: Outcome(
            classes[name],
            arrays[f"{name}/outputs"],
            float(arrays[f"{name}/loss"][0]),
            _under(arrays, f"{name}/gradients/"),
        )
        for name in _networks(arrays)
    }


def _networks(arrays: Arrays) -> list[str]:
    return list(dict.fromkeys(name.split("/")[0] for name in arrays))


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def class_name(network: object) -> str:
    """`package.module.Class` of a network; of one that the running script defines, the script's name stands first."""
    module = type(network).__module__
    return f"{Path(sys.argv[0]).stem if module == '__main__' else module}.{type(network).__qualname__}"


def answer(**compute: Callable[[Case], Outcome]) -> None:
    """The body of a framework's script, whose arguments are a file of cases and one for the outcomes."""
    given, wanted = map(Path, sys.argv[1:])
    cases = read_cases(given)
    write_outcomes(wanted, {name: function(cases[name]) for name, function in compute.items()})
