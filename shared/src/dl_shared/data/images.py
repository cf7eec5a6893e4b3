"""Load labelled images from the sample generator, the public source, or a path in any of the known layouts."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from dl_shared.data.image_batches import recognise_archive, recognise_batches
from dl_shared.data.image_cache import decoded_once
from dl_shared.data.image_folders import recognise_folders, recognise_kaggle
from dl_shared.data.image_hub import fetch
from dl_shared.data.image_idx import recognise_idx
from dl_shared.data.image_parquet import recognise_parquet
from dl_shared.data.image_sets import IMAGE_SETS, Decoded, ImageSet, Layout, Split
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.paths import user_path
from dl_shared.sample.images import make_images

CARVED_SEED = 0  # a test part carved out of the training part is the same in every run, whatever the run's seed
CARVED_FRACTION = 1 / 6  # as in CIFAR-10 itself: 50,000 and 10,000


@dataclass(frozen=True)
class LoadedImages:
    """Training and test part of a data set, as unsigned bytes."""

    train: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    """Where the images came from, in words."""
    fingerprint: str
    """SHA-256 of the four decoded arrays."""
    quirks: tuple[str, ...] = ()
    """What a reader of results should know about this copy."""
    optimum: dict[str, float] | None = None
    """The best scores any model can expect, for sample data; else None."""


def load_images(source: str, dataset: str | ImageSet = "cifar10", *, seed: int = 0) -> LoadedImages:
    """Load a data set.

    Args:
        source: `sample`, `hub` or a path; a path is recognised by what lies there.
        dataset: `cifar10`, `mnist` or `fashion_mnist`, or the description of another; fixes the image size and, unless
            the files name them, the classes.
        seed: of the generator; only `sample` looks at it.

    Returns:
        Both parts. Decoded files are kept under `cache_dir()`, and read from there as long as the files stay the same.

    Raises:
        InputError: if the source is missing, damaged, of another kind, or does not fit the data set.
    """
    if isinstance(dataset, str) and dataset not in IMAGE_SETS:
        raise InputError(f"unknown image data set '{dataset}': choose one of {', '.join(IMAGE_SETS)}")
    spec = IMAGE_SETS[dataset] if isinstance(dataset, str) else dataset
    if source == "sample":
        return _load_sample(spec, seed)
    if source == "hub":
        if not spec.hub_id:
            raise InputError(f"the hub has no {spec.title}: give a path to them, or `sample`")
        fetched = fetch(spec)
        path, origin = fetched.path, fetched.origin
    else:
        path, origin = user_path(source), source
    layout = recognise(path, spec)
    stored = decoded_once(f"{spec.name} {layout.kind}", layout.files, lambda: _completed(layout.read(), spec, layout))
    return LoadedImages(
        stored.train,
        stored.test,
        stored.class_names,
        f"{spec.title} from {origin} ({layout.kind})",
        stored.fingerprint,
        stored.quirks,
    )


def _load_sample(spec: ImageSet, seed: int) -> LoadedImages:
    height, _, channels = spec.shape
    sample = make_images(seed=seed, size=height, channels=channels)
    train, test = Split(sample.train_images, sample.train_labels), Split(sample.test_images, sample.test_labels)
    digest = fingerprint(train.images, train.labels, test.images, test.labels)
    source = f"sample images shaped as {spec.title} (seed {seed}, {1 - sample.optimum['accuracy']:.0%} of labels wrong)"
    return LoadedImages(train, test, sample.class_names, source, digest, optimum=sample.optimum)


def recognise(path: Path, spec: ImageSet) -> Layout:
    """The layout of the files at a path, be it a folder or a single archive.

    Raises:
        InputError: if nothing lies there, or nothing we know.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: give a path to {spec.title}, or `sample`, or `hub`")
    if not _files_below(path):
        raise InputError(f"{path} is empty: give a path to {spec.title}, or `sample`, or `hub`")
    layout = find_layout(path, spec)
    if layout is None:
        raise InputError(
            f"{path} holds no labelled images in a layout we know: Parquet files, CIFAR-10 batches or their archive, "
            "IDX files, a folder per class, or Kaggle's train folder with trainLabels.csv"
        )
    return layout


def find_layout(path: Path, spec: ImageSet) -> Layout | None:
    """The layout of the files at a path, if it is one we know.

    Raises:
        InputError: if it is one, but of several data sets at once.
    """
    files = _files_below(path)
    return (
        recognise_parquet(files, spec)
        or recognise_batches(files, spec)
        or recognise_idx(files, spec)
        or recognise_kaggle(files, spec)
        or recognise_folders(files, spec, path)
        or recognise_archive(files, spec)
    )


def _files_below(path: Path) -> list[Path]:
    """All files, in order, hidden ones left out; the path itself when it is a file."""
    if path.is_file():
        return [path]
    found = []
    for folder, subfolders, names in os.walk(path):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [Path(folder, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _completed(decoded: Decoded, spec: ImageSet, layout: Layout) -> Decoded:
    """Check the labels, and carve a test part out of the training part where there is none."""
    for part, split in (("training", decoded.train), ("test", decoded.test)):
        if split is not None:
            _check(split, decoded.class_names, f"{layout.kind} ({layout.files[0]}): the {part} part")
    train, test, notes = decoded.train, decoded.test, list(decoded.quirks)
    if spec.class_names and decoded.class_names != spec.class_names:
        notes.append(f"the {len(decoded.class_names)} classes are not those of {spec.title}")
    if test is None:
        held_out = stratified_mask(train.labels, CARVED_FRACTION, CARVED_SEED)
        notes.append(f"no test part: {held_out.sum():,} of {len(train):,} training images were set aside as one")
        train, test = train.rows(~held_out), train.rows(held_out)
    if decoded.class_names == spec.class_names and (len(train), len(test)) != spec.rows:
        official = "{:,} and {:,}".format(*spec.rows)
        notes.append(
            f"{len(train):,} training and {len(test):,} test images, where the official release has {official}"
        )
    return replace(decoded, train=train, test=test, quirks=tuple(notes))


def _check(split: Split, class_names: tuple[str, ...], where: str) -> None:
    if len(split) == 0:
        raise InputError(f"{where} has no images")
    if not class_names:
        raise InputError(f"{where} does not name its classes: give a folder per class, or Parquet files that name them")
    low, high = int(split.labels.min()), int(split.labels.max())
    if low < 0 or high >= len(class_names):
        raise InputError(
            f"{where} has labels from {low} to {high}, expected 0 to {len(class_names) - 1}: "
            "it is another data set, or damaged"
        )


def stratified_mask(labels: Int64[np.ndarray, " n"], fraction: float, seed: int) -> Bool[np.ndarray, " n"]:
    """Choose a share of the rows of each class, at least one and never all; the same seed chooses the same rows.

    Raises:
        InputError: if a class has fewer than two rows, so that it cannot be on both sides.
    """
    rng = np.random.default_rng([seed, 0x5A1])
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        if len(rows) < 2:
            raise InputError(f"class {label} has a single image: it takes two to put it on both sides of a split")
        chosen[rows[: min(max(round(fraction * len(rows)), 1), len(rows) - 1)]] = True
    return chosen


def with_labels(split: Split, share: float, seed: int) -> tuple[Split, int]:
    """The training images whose labels a run may use, and how many passes over them are about one over all images.

    Args:
        split: all training images.
        share: of each class; the images of a smaller share are among those of a larger one.
        seed: chooses them.

    Raises:
        InputError: if a class has a single image.
    """
    if share == 1:
        return split, 1
    labelled = split.rows(np.flatnonzero(stratified_mask(split.labels, share, seed)))
    return labelled, round(len(split) / len(labelled))
