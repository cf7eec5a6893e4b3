"""Pictures with words: three data sets as one, and what is said of each picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int64, UInt8

from dl_architectures.nlp.training.pictures.things import THINGS, Thing, with_article
from dl_shared.data.draws import uniforms
from dl_shared.data.images import load_images
from dl_shared.errors import InputError
from dl_shared.files import fingerprint

SIZE = 32  # pixels
SETS = ("mnist", "fashion_mnist", "cifar10")
DIGITS = ("the digit {}", "the number {}", "a handwritten {}", "a {}", "{}", "number {}", "draw the digit {}")
OTHERS = ("{}", "a photo of {}", "a picture of {}", "an image of {}", "draw {}", "a small picture of {}")


@dataclass(frozen=True)
class Pictures:
    """Pictures in colour with their thing's number, in one order."""

    images: UInt8[np.ndarray, "n 32 32 3"]
    labels: Int64[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """What is trained on and what is tested, and the things that are in them."""

    train: Pictures
    test: Pictures
    things: tuple[Thing, ...]
    source: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all pictures and labels."""
        return fingerprint(self.train.images, self.train.labels, self.test.images, self.test.labels)


def load(source: str, seed: int) -> Data:
    """The three data sets as one, 32 x 32 pixels in colour.

    Args:
        source: `sample` (patterns made on the spot), `hub`, or a folder with `mnist`, `fashion_mnist` and `cifar10`.
        seed: of the sample.

    Raises:
        InputError: if one of them is missing or cannot be used.
    """
    if source == "sample":
        made = load_images("sample", "cifar10", seed=seed)
        things = tuple(Thing("sample", label, (name,)) for label, name in enumerate(made.class_names))
        parts = [Pictures(part.images, part.labels) for part in (made.train, made.test)]
        return Data(parts[0], parts[1], things, made.source)
    found = {name: load_images("hub" if source == "hub" else str(Path(source) / name), name) for name in SETS}
    for name, images in found.items():
        if len(images.class_names) != sum(thing.dataset == name for thing in THINGS):
            raise InputError(f"{images.source} has {len(images.class_names)} classes: it is another data set")
    number = {(thing.dataset, thing.label): i for i, thing in enumerate(THINGS)}
    parts = []
    for part in ("train", "test"):
        splits = {name: getattr(images, part) for name, images in found.items()}
        labels = [number[name, label] for name, split in splits.items() for label in split.labels.tolist()]
        parts.append(
            Pictures(np.concatenate([in_colour(split.images) for split in splits.values()]), np.array(labels, np.int64))
        )
    titles = ", ".join(images.source.partition(" from ")[0] for images in found.values())
    return Data(parts[0], parts[1], THINGS, titles)


def in_colour(images: UInt8[np.ndarray, "n height width channels"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    """Pictures of at most 32 pixels, with black around those that are smaller, and grey ones as red, green and blue."""
    height, width, channels = images.shape[1:]
    above, left = (SIZE - height) // 2, (SIZE - width) // 2
    around = ((0, 0), (above, SIZE - height - above), (left, SIZE - width - left), (0, 0))
    return np.repeat(np.pad(images, around), 3 // channels, axis=3)


def captions(
    things: tuple[Thing, ...], labels: Int[np.ndarray, " n"], seed: int, draws: Int[np.ndarray, " n"]
) -> list[str]:
    """Words for pictures, which follow from the seed and from the number of each draw.

    Args:
        things: that labels are numbers of.
        labels: of the pictures.
        seed: of the words.
        draws: a number for each picture, other each time that it is shown.
    """
    said = {thing: captions_of(thing) for thing in set(things)}
    (chance,) = uniforms(seed, draws, 1)
    choices = [said[things[label]] for label in labels.tolist()]
    return [choice[int(share * len(choice))] for choice, share in zip(choices, chance.tolist(), strict=True)]


def captions_of(thing: Thing) -> list[str]:
    """All that may be said of its pictures."""
    if thing.dataset == "mnist":
        return [form.format(word) for word in thing.words for form in DIGITS]
    named = [word if thing.plural else with_article(word) for word in thing.words]
    return [*thing.words, *(form.format(word) for word in named for form in OTHERS)]
