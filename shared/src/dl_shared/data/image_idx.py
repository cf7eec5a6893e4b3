"""IDX files, plain or compressed: the format of MNIST and Fashion-MNIST (LeCun, Cortes and Burges 1998)."""

import gzip
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dl_shared.data.image_sets import Decoded, ImageSet, Layout, Split, one_folder
from dl_shared.errors import InputError

UNSIGNED_BYTES = 0x08
_NAME = re.compile(r"(train|t10k|test)[-_.](images|labels)[-_.].*ubyte(\.gz)?", re.IGNORECASE)


def recognise_idx(files: Sequence[Path], spec: ImageSet) -> Layout | None:
    """Files named `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte.gz` and the like."""
    roles: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        if match := _NAME.fullmatch(file.name):
            part = "train" if match[1].lower() == "train" else "test"
            roles.setdefault((part, match[2].lower()), []).append(file)
    if not roles:
        return None
    one_folder([file for found in roles.values() for file in found], "IDX files")
    chosen = {role: min(found, key=lambda file: file.suffix == ".gz") for role, found in roles.items()}

    def read() -> Decoded:
        where = next(iter(chosen.values())).parent
        for part in ("train", "test"):
            for content in ("images", "labels"):
                if (part, content) not in chosen:
                    raise InputError(f"{where} lacks the IDX file of the {part} {content}")
        train, test = (
            _read_part(chosen[part, "images"], chosen[part, "labels"], spec.shape) for part in ("train", "test")
        )
        return Decoded(train, test, spec.class_names)

    return Layout("IDX files", tuple(sorted(chosen.values())), read)


def _read_part(images_file: Path, labels_file: Path, shape: tuple[int, int, int]) -> Split:
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[1:] != shape:
        found = " x ".join(str(axis) for axis in images.shape[1:])
        raise InputError(f"{images_file} has images of {found}, expected {' x '.join(str(axis) for axis in shape)}")
    if labels.shape != images.shape[:1]:
        raise InputError(
            f"{labels_file} has {len(labels):,} labels for the {len(images):,} images of {images_file.name}"
        )
    return Split(images.copy(), labels.astype(np.int64))  # a copy can be written to, and lets go of the file's bytes


def read_idx(file: Path) -> np.ndarray:
    """The array of unsigned bytes in an IDX file.

    Raises:
        InputError: if the file is cut short, of another type, or no IDX file at all.
    """
    try:
        raw = file.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{file} is cut short or damaged: it cannot be decompressed; download it again") from None
    if len(raw) < 4 or raw[:2] != b"\0\0" or len(raw) < 4 + 4 * raw[3]:
        raise InputError(f"{file} is not an IDX file, or is cut short")
    if raw[2] != UNSIGNED_BYTES:
        raise InputError(f"{file} holds values of type 0x{raw[2]:02x}, expected unsigned bytes (0x08)")
    axes = tuple(int(axis) for axis in np.frombuffer(raw, ">u4", count=raw[3], offset=4))
    start, expected = 4 + 4 * len(axes), int(np.prod(axes, dtype=object))
    if len(axes) == 0 or len(raw) - start != expected:
        raise InputError(
            f"{file} is cut short or damaged: its header announces {expected:,} bytes, {len(raw) - start:,} follow"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(axes)
