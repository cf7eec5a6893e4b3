"""Image files on disk with labels by folder, or in Kaggle's table."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dl_shared.data.image_files import decode_image
from dl_shared.data.image_sets import Decoded, ImageSet, Layout, Split, one_folder
from dl_shared.errors import InputError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
TEST_NAMES = ("test", "val", "valid", "validation")  # in order of preference


def recognise_kaggle(files: Sequence[Path], spec: ImageSet) -> Layout | None:
    """`trainLabels.csv` beside a folder `train` of images named by their id, as in Kaggle's CIFAR-10 competition."""
    tables = [file for file in files if file.name.lower() == "trainlabels.csv"]
    if not tables:
        return None
    one_folder(tables, "tables trainLabels.csv")
    table = tables[0]
    images = [file for file in _images(files) if file.parent == table.parent / "train"]
    unused = sum(file.parent == table.parent / "test" for file in _images(files))

    def read() -> Decoded:
        return _read_kaggle(table, images, unused, spec)

    return Layout("Kaggle's train folder with trainLabels.csv", (table, *images), read)


def _read_kaggle(table: Path, images: Sequence[Path], unused: int, spec: ImageSet) -> Decoded:
    by_id = {file.stem: file for file in images}
    names = {name: label for label, name in enumerate(spec.class_names)}
    chosen, labels = [], []
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if row.get("id") not in by_id:
                    raise InputError(f"{table} names image '{row.get('id')}', which is not in {table.parent / 'train'}")
                if row.get("label") not in names:
                    raise InputError(f"{table}: unknown label '{row.get('label')}', expected one of {', '.join(names)}")
                chosen.append(by_id.pop(row["id"]))
                labels.append(names[row["label"]])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table} is not a CSV file in UTF-8: {error}") from None
    quirks = [f"{len(by_id):,} images in the folder train have no label and are left out"] if by_id else []
    if unused:
        quirks.append(f"the {unused:,} images in the folder test have no labels and are not used")
    return Decoded(_decoded(chosen, labels, spec.shape), None, spec.class_names, tuple(quirks))


def recognise_folders(files: Sequence[Path], spec: ImageSet, root: Path) -> Layout | None:
    """A folder per class, inside folders `train` and `test` or, to be split, without them."""
    parts = _parts_below(root, _images(files)) if root.is_dir() else {}
    if not any(len(names) > 1 for names in parts.values()):
        return None

    tops = {names[0].lower() for names in parts.values()}
    held_out = next((name for name in TEST_NAMES if name in tops), None) if "train" in tops else None
    grouped: dict[str, dict[Path, str]] = {"train": {}, "test": {}}
    ignored: Counter[str] = Counter()
    for file, names in parts.items():
        top = names[0].lower()
        if "train" not in tops and len(names) == 2:
            grouped["train"][file] = names[0]
        elif "train" in tops and top in ("train", held_out) and len(names) == 3:
            grouped["train" if top == "train" else "test"][file] = names[1]
        else:
            ignored["/".join(names[:-1]) or "."] += 1
    quirks = [
        f"{count:,} images in {folder} are in no class's folder and left out" for folder, count in ignored.items()
    ]
    if held_out not in (None, "test"):
        quirks.append(f"the folder {held_out} serves as the test part")
    used = tuple(sorted((*grouped["train"], *grouped["test"])))
    return Layout("a folder per class", used, lambda: _read_folders(grouped, quirks, spec, root)) if used else None


def _parts_below(root: Path, images: Iterable[Path]) -> dict[Path, tuple[str, ...]]:
    """The path of each image in its parts, without outer folders that hold everything, as archives have them."""
    parts = {file: file.relative_to(root).parts for file in images}
    while parts and all(len(names) > 2 for names in parts.values()):
        tops = {names[0] for names in parts.values()}
        if len(tops) > 1 or tops == {"train"}:
            break
        parts = {file: names[1:] for file, names in parts.items()}
    return parts


def _read_folders(grouped: dict[str, dict[Path, str]], quirks: Sequence[str], spec: ImageSet, root: Path) -> Decoded:
    found = sorted(set(grouped["train"].values()))
    if len(found) < 2:
        raise InputError(f"{root} has {len(found)} class folder(s) of training images, expected at least 2")
    if unknown := set(grouped["test"].values()) - set(found):
        raise InputError(f"{root}: the test part has classes without training images: {', '.join(sorted(unknown)[:5])}")
    known = {_folded(name): label for label, name in enumerate(spec.class_names)}
    if all(_folded(name) in known for name in found):
        names, number = spec.class_names, {name: known[_folded(name)] for name in found}
    elif all(re.fullmatch(r"[0-9]{1,9}", name) for name in found):
        names, number = spec.class_names, {name: int(name) for name in found}
    else:
        names, number = tuple(found), {name: label for label, name in enumerate(found)}
    splits = [
        _decoded(sorted(files), [number[files[file]] for file in sorted(files)], spec.shape) if files else None
        for files in (grouped["train"], grouped["test"])
    ]
    if splits[0] is None:
        raise InputError(f"{root} has no training images")
    return Decoded(splits[0], splits[1], names, tuple(quirks))


def _folded(name: str) -> str:
    """`T-shirt/top` cannot name a folder: compare letters and digits only."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _images(files: Iterable[Path]) -> Iterable[Path]:
    return (file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)


def _decoded(files: Sequence[Path], labels: Sequence[int], shape: tuple[int, int, int]) -> Split:
    images = np.empty((len(files), *shape), np.uint8)
    for row, file in enumerate(files):
        images[row] = decode_image(file, shape, str(file))
    return Split(images, np.array(labels, np.int64))
