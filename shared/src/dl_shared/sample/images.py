"""Ten kinds of pattern in a patch of random place, size and colours, with labels wrong at a known rate.

What tells the classes apart is how neighbouring pixels vary, never which pixel has which colour: the pattern's phase,
its two colours, the patch and the background are drawn anew for each image. So a linear model on pixels stays near
chance, while a few convolutions find the pattern anywhere. Mirroring, small shifts and small holes keep the class.
A share of the labels, known exactly, is wrong, and no model can tell which: that makes the optimum.

With the default sizes (4,500 images left to train on) logistic regression on pixels gets 0.16 to 0.18 of the test
images right, and a CNN of 24,000 parameters 0.94 after 8 epochs, of at best 0.95: `benchmarks/sample_images.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int64, UInt8

LABEL_NOISE = 0.05


@dataclass(frozen=True)
class SampleImages:
    """Images made on the spot, and the best scores that any model can expect on them."""

    train_images: UInt8[np.ndarray, "train height width channels"]
    train_labels: Int64[np.ndarray, " train"]
    test_images: UInt8[np.ndarray, "test height width channels"]
    test_labels: Int64[np.ndarray, " test"]
    class_names: tuple[str, ...]
    optimum: dict[str, float]
    """`accuracy`, `macro_f1` and `loss` (nats) of a model that knows the patterns and the rate of wrong labels."""


def make_images(
    *,
    seed: int,
    train: int = 5000,
    test: int = 1000,
    size: int = 32,
    channels: int = 3,
    label_noise: float = LABEL_NOISE,
) -> SampleImages:
    """Draw balanced training and test images.

    Args:
        seed: the same seed and sizes give the same images.
        train: how many training images; each class gets its share, give or take one.
        test: how many test images, likewise.
        size: height and width in pixels.
        channels: 3 for colour, 1 for grey.
        label_noise: the share of labels, in either part, that is replaced by another class, drawn uniformly.

    Raises:
        ValueError: on sizes too small to hold a pattern, or a rate at which wrong labels outweigh right ones.
    """
    classes = len(PATTERNS)
    if train < classes or test < classes or size < 16 or channels not in (1, 3):
        raise ValueError(
            f"need {classes} images a part, a size of 16 pixels and 1 or 3 channels, "
            f"got {train=}, {test=}, {size=}, {channels=}"
        )
    if not 0 <= label_noise < 1 - 1 / classes:
        raise ValueError(f"label_noise must be at least 0 and below {1 - 1 / classes}, got {label_noise}")
    train_rng, test_rng = np.random.default_rng([seed, 0x1A6E]).spawn(2)
    train_images, train_labels = _part(train, size, channels, label_noise, train_rng)
    test_images, test_labels = _part(test, size, channels, label_noise, test_rng)
    best = optimum(label_noise, classes)
    return SampleImages(train_images, train_labels, test_images, test_labels, tuple(PATTERNS), best)


def optimum(label_noise: float, classes: int) -> dict[str, float]:
    """Scores of the classifier that gives the true class `1 - label_noise` and shares the rest among the others.

    Its loss is the entropy of a label given the image. With balanced classes and uniform noise every class has
    precision and recall `1 - label_noise`, hence that macro F1.
    """
    p = label_noise
    entropy = 0.0 if p == 0 else -(1 - p) * np.log(1 - p) - p * np.log(p / (classes - 1))
    return {"accuracy": 1 - p, "macro_f1": 1 - p, "loss": float(entropy)}


def _part(
    n: int, size: int, channels: int, label_noise: float, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "n size size channels"], Int64[np.ndarray, " n"]]:
    """Two streams of random numbers: the rate of wrong labels does not change the images."""
    image_rng, label_rng = rng.spawn(2)
    truth = image_rng.permutation(np.arange(n) % len(PATTERNS))
    return _draw(truth, size, channels, image_rng), _with_wrong_labels(truth, label_noise, label_rng)


def _with_wrong_labels(truth: Int[np.ndarray, " n"], rate: float, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """An exact count of labels is changed, so that the optimum holds for these very images, not just on average."""
    labels = truth.astype(np.int64)
    wrong = rng.choice(len(truth), size=round(rate * len(truth)), replace=False)
    labels[wrong] = (labels[wrong] + rng.integers(1, len(PATTERNS), size=len(wrong))) % len(PATTERNS)
    return labels


@dataclass(frozen=True)
class _Grid:
    """Where the pixels of n images lie in their patch, in periods of the pattern from the patch's centre."""

    u: Float32[np.ndarray, "n size size"]  # to the right
    v: Float32[np.ndarray, "n size size"]  # down
    p: Float32[np.ndarray, "n 1 1"]  # phases in [0, 1)
    q: Float32[np.ndarray, "n 1 1"]
    side: Float32[np.ndarray, "n 1 1"]  # -1 or 1
    rng: np.random.Generator


def _wave(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * x)


def _rays(grid: _Grid) -> np.ndarray:
    return _wave(np.arctan2(grid.v, grid.u) / (2 * np.pi) * (7 + grid.side) + grid.p)  # 6 or 8 bright sectors


def _dots(grid: _Grid) -> np.ndarray:
    return np.clip(3 * (_wave(grid.u + grid.p) + _wave(grid.v + grid.q)) - 2.5, -1, 1)


def _chevrons(grid: _Grid) -> np.ndarray:
    zigzag = np.abs((grid.u / 1.5 + 2 * grid.q) % 2 - 1)
    return _wave(grid.v + 1.5 * zigzag + grid.p)


def _mosaic(grid: _Grid) -> np.ndarray:
    """Cells of half a period, each bright or dark by chance."""
    cells = grid.rng.choice(np.array([-1, 1], np.float32), size=(len(grid.u), 64, 64))
    rows, columns = (np.floor(2 * axis).astype(int) % 64 for axis in (grid.v + grid.p, grid.u + grid.q))
    return cells[np.arange(len(grid.u))[:, None, None], rows, columns]


# Brightness in [-1, 1] over the patch. Each is of the same kind when mirrored.
PATTERNS: dict[str, Callable[[_Grid], np.ndarray]] = {
    "plain": lambda grid: np.ones_like(grid.u) * grid.side,
    "rows": lambda grid: _wave(grid.v + grid.p),
    "columns": lambda grid: _wave(grid.u + grid.p),
    "diagonal": lambda grid: _wave((grid.u + grid.side * grid.v) / np.sqrt(2) + grid.p),
    "checks": lambda grid: np.clip(4 * _wave(grid.u / 2 + grid.p) * _wave(grid.v / 2 + grid.q), -1, 1),
    "rings": lambda grid: _wave(np.hypot(grid.u, grid.v) + grid.p),
    "rays": _rays,
    "dots": _dots,
    "chevrons": _chevrons,
    "mosaic": _mosaic,
}


def _draw(
    truth: Int[np.ndarray, " n"], size: int, channels: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "n size size channels"]:
    images = np.empty((len(truth), size, size, channels), np.uint8)
    for label, pattern in enumerate(PATTERNS.values()):
        of_class = np.flatnonzero(truth == label)
        for rows in np.array_split(of_class, max(1, len(of_class) // 500)):  # bounds the memory of the float arrays
            images[rows] = _images_of(pattern, len(rows), size, channels, rng)
    return images


def _images_of(
    pattern: Callable[[_Grid], np.ndarray], n: int, size: int, channels: int, rng: np.random.Generator
) -> UInt8[np.ndarray, "n size size channels"]:
    def uniform(low: float | int, high: float | int, *axes: int) -> np.ndarray:
        return rng.uniform(low, high, size=(n, *axes)).astype(np.float32)

    # Lengths are in pixels of a 32 x 32 image, scaled to the size asked for.
    y, x = np.meshgrid(*2 * [np.linspace(-16, 16, size, dtype=np.float32)], indexing="ij")
    radius = uniform(8, 13, 1, 1)
    dx, dy = (x - uniform(-1, 1, 1, 1) * (16 - radius), y - uniform(-1, 1, 1, 1) * (16 - radius))
    period, tilt = uniform(4.5, 7, 1, 1), uniform(-0.15, 0.15, 1, 1)
    u = (np.cos(tilt) * dx + np.sin(tilt) * dy) / period
    v = (np.cos(tilt) * dy - np.sin(tilt) * dx) / period
    side = rng.choice(np.array([-1, 1], np.float32), size=(n, 1, 1))
    brightness = pattern(_Grid(u, v, uniform(0, 1, 1, 1), uniform(0, 1, 1, 1), side, rng))

    squareness = rng.choice(np.array([2.0, 8.0], np.float32), size=(n, 1, 1))  # a disc, or a square with round corners
    distance = (np.abs(dx) ** squareness + np.abs(dy) ** squareness) ** (1 / squareness)
    inside = np.clip(radius - distance + 0.5, 0, 1)[..., None]

    middle = uniform(80, 175, 1, 1, channels)
    contrast = uniform(35, 75, 1, 1, channels) * rng.choice(np.array([-1, 1], np.float32), size=(n, 1, 1, channels))
    patch = middle + contrast * brightness[..., None]
    slope = uniform(-4, 4, 1, 1, channels) * x[..., None] + uniform(-4, 4, 1, 1, channels) * y[..., None]
    background = uniform(40, 215, 1, 1, channels) + slope
    noise = rng.normal(0, 8, size=(n, size, size, channels)).astype(np.float32)
    return np.clip(inside * patch + (1 - inside) * background + noise, 0, 255).round().astype(np.uint8)
