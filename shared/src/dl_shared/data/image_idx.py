"""IDX files, plain or compressed: the format of MNIST and Fashion-MNIST (LeCun, Cortes and Burges 1998)."""

import gzip
import math
import re
import struct
import zlib
from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from dl_shared.data.image_sets import Decoded, ImageSet, Layout, Split, one_folder
from dl_shared.errors import InputError

UNSIGNED_BYTES = 0x08
MAX_AXES = 4  # images, rows, columns and perhaps channels
MAX_BYTES = 1 << 30  # twenty times the largest official file
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
    return Split(images.copy(), labels.astype(np.int64))  # a copy can be written to


def read_idx(file: Path) -> np.ndarray:
    """The array of unsigned bytes in an IDX file.

    Raises:
        InputError: if the file is cut short, of another type, or no IDX file at all.
    """
    try:
        with file.open("rb") as opened:
            packed = opened.read(2) == b"\x1f\x8b"
        with gzip.open(file) if packed else file.open("rb") as opened:
            axes = _read_axes(opened, file)
            expected = math.prod(axes)
            if not 0 < expected <= MAX_BYTES:
                raise InputError(f"{file} is damaged, or not of MNIST's kind: its header announces {expected:,} bytes")
            content = opened.read(expected + 1)  # and no more: what is compressed may be a thousand times as long
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{file} is cut short or damaged: it cannot be decompressed; download it again") from None
    if len(content) != expected:
        follow = f"{len(content):,}" if len(content) < expected else "more"
        raise InputError(f"{file} is cut short or damaged: its header announces {expected:,} bytes, {follow} follow")
    return np.frombuffer(content, np.uint8).reshape(axes)


def _read_axes(opened: BufferedIOBase, file: Path) -> tuple[int, ...]:
    """The lengths of the array's axes."""
    start = opened.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or not 1 <= start[3] <= MAX_AXES:
        raise InputError(f"{file} is not an IDX file of images or labels, or is cut short")
    if start[2] != UNSIGNED_BYTES:
        raise InputError(f"{file} holds values of type 0x{start[2]:02x}, expected unsigned bytes (0x08)")
    lengths = opened.read(4 * start[3])
    if len(lengths) < 4 * start[3]:
        raise InputError(f"{file} is cut short: its header is not whole")
    return struct.unpack(f">{start[3]}I", lengths)
