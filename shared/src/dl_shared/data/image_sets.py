"""The image data sets we know: their shapes, classes, terms, and where they are published."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from dl_shared.errors import InputError


@dataclass(frozen=True)
class Split:
    """Images with their labels, row by row."""

    images: UInt8[np.ndarray, "n height width channels"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, index: np.ndarray) -> "Split":
        """A copy of the rows given by a mask or by numbers."""
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Decoded:
    """What a layout holds. Without a test part of its own, `test` is None."""

    train: Split
    test: Split | None
    class_names: tuple[str, ...]
    quirks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """A recognised layout: the files that make it up, and how to decode them."""

    kind: str
    files: tuple[Path, ...]
    read: Callable[[], Decoded]


def one_folder(files: Iterable[Path], what: str) -> None:
    """Refuse files that lie in several folders, where they would be parts of several data sets.

    Raises:
        InputError: naming the folders.
    """
    folders = sorted({str(file.parent) for file in files})
    if len(folders) > 1:
        raise InputError(f"{what} lie in several folders, give one of them: {', '.join(folders[:4])}")


@dataclass(frozen=True)
class Mirror:
    """One place that serves a data set: files to fetch, and the MD5 its authors or torchvision publish for each."""

    base: str
    files: dict[str, str]


@dataclass(frozen=True)
class ImageSet:
    """What is known about a data set before any file is opened."""

    name: str
    title: str
    shape: tuple[int, int, int]
    """Height, width, channels."""
    rows: tuple[int, int]
    """Training and test images of the official release."""
    class_names: tuple[str, ...]
    """Empty where the files must name them."""
    hub_id: str
    """Empty where the hub does not have it."""
    mirrors: tuple[Mirror, ...]
    terms: str


_MNIST = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
_FASHION = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}

IMAGE_SETS: dict[str, ImageSet] = {
    spec.name: spec
    for spec in (
        ImageSet(
            "cifar10",
            "CIFAR-10",
            (32, 32, 3),
            (50_000, 10_000),
            ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
            "uoft-cs/cifar10",
            (
                Mirror(
                    "https://www.cs.toronto.edu/~kriz/",
                    {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
                ),
            ),
            "Krizhevsky 2009; no licence stated, citation requested",
        ),
        ImageSet(
            "mnist",
            "MNIST",
            (28, 28, 1),
            (60_000, 10_000),
            tuple("0123456789"),
            "ylecun/mnist",
            (
                Mirror("https://ossci-datasets.s3.amazonaws.com/mnist/", _MNIST),
                Mirror("https://storage.googleapis.com/cvdf-datasets/mnist/", _MNIST),
            ),
            "LeCun, Cortes, Burges; commonly distributed under CC BY-SA 3.0",
        ),
        ImageSet(
            "fashion_mnist",
            "Fashion-MNIST",
            (28, 28, 1),
            (60_000, 10_000),
            ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            "zalando-datasets/fashion_mnist",
            (
                Mirror("https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/", _FASHION),
                Mirror("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", _FASHION),
            ),
            "Zalando SE; MIT",
        ),
    )
}

# Any pictures of this size, of whichever classes: to pre-train a network on.
PICTURES = ImageSet("pictures", "labelled pictures", (32, 32, 3), (0, 0), (), "", (), "")
