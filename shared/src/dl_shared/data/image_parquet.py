"""Parquet files of encoded images with labels, as the Hugging Face hub serves them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dl_shared.data.image_files import decode_image
from dl_shared.data.image_sets import Decoded, ImageSet, Layout, Split, one_folder
from dl_shared.errors import InputError

IMAGE_COLUMNS, LABEL_COLUMNS = ("img", "image", "images"), ("label", "labels", "fine_label")


def recognise_parquet(files: Sequence[Path], spec: ImageSet) -> Layout | None:
    """Parquet files named, or in folders named, after their part (`train-00000-of-00001.parquet`, `test/0.parquet`)."""
    parquet = [file for file in files if file.suffix == ".parquet"]
    if not parquet:
        return None
    parts = {part: sorted(file for file in parquet if _part_of(file) == part) for part in ("train", "test")}
    used = (*parts["train"], *parts["test"])

    for part, found in parts.items():
        one_folder(found, f"Parquet files of the {part} part")

    def read() -> Decoded:
        for part, found in parts.items():
            if not found:
                names = ", ".join(sorted(file.name for file in parquet)[:4])
                raise InputError(
                    f"{parquet[0].parent} has no {part} part: a Parquet file must have '{part}' in its name, "
                    f"found {names}"
                )
            if absent := missing_shards(found):
                raise InputError(f"{found[0].parent} lacks {absent} of the {part} part's files: see {found[0].name}")
        class_names, notes = _class_names(parts["train"][0])
        train, test = (_read_parquet(parts[part], spec.shape) for part in ("train", "test"))
        return Decoded(train, test, class_names or spec.class_names, notes)

    return Layout("Parquet files in the Hugging Face hub's layout", used or tuple(parquet), read)


def missing_shards(files: Sequence[Path]) -> int:
    """How many files are absent from `train-00000-of-00003.parquet` and its like; 0 when names do not tell."""
    totals = [int(match[1]) for file in files if (match := re.search(r"-of-(\d+)$", file.stem))]
    return max(0, max(totals) - len(files)) if totals else 0


def _part_of(file: Path) -> str | None:
    for name in (file.stem.lower(), file.parent.name.lower()):
        for part in ("train", "test"):
            if re.search(rf"(^|[^a-z]){part}([^a-z]|$)", name):
                return part
    return None


def open_parquet(file: Path) -> pq.ParquetFile:
    """Open a Parquet file.

    Raises:
        InputError: if it is damaged, truncated or of another kind.
    """
    try:
        return pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file} is not a whole Parquet file (truncated?): {error}") from None


def _class_names(file: Path) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """Names from the Hugging Face features in the schema, and a note when there are none."""
    with open_parquet(file) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        columns = parquet.schema_arrow.names
    try:
        features: Any = json.loads(metadata[b"huggingface"])["info"]["features"]
        label = next(features[column] for column in LABEL_COLUMNS if column in columns)
        return tuple(str(name) for name in label["names"]), ()
    except (KeyError, StopIteration, TypeError, ValueError):
        return None, ("no class names in the Parquet schema: the data set's own are used",)


def _read_parquet(files: Sequence[Path], shape: tuple[int, int, int]) -> Split:
    opened = [open_parquet(file) for file in files]
    try:
        labels = np.concatenate([_labels(file, parquet) for file, parquet in zip(files, opened, strict=True)])
        images, row = np.empty((len(labels), *shape), np.uint8), 0
        for file, parquet in zip(files, opened, strict=True):
            column = _column(file, parquet, IMAGE_COLUMNS, "image")
            try:
                for batch in parquet.iter_batches(batch_size=1000, columns=[column]):
                    for encoded in _encoded(batch.column(0), file):
                        if row < len(labels):
                            images[row] = decode_image(encoded, shape, f"image {row} of {file}")
                        row += 1
            except (OSError, pa.ArrowException) as error:
                raise InputError(f"{file} is damaged after row {row}: {error}") from None
        if row != len(labels):
            raise InputError(f"{files[0]} is damaged: {row:,} images for {len(labels):,} labels")
        return Split(images, labels)
    finally:
        for parquet in opened:
            parquet.close()


def _labels(file: Path, parquet: pq.ParquetFile) -> np.ndarray:
    """As they are, and not as many as the file's footer says there are, which may be damaged."""
    column = _column(file, parquet, LABEL_COLUMNS, "label")
    try:
        parts = [batch.column(0) for batch in parquet.iter_batches(columns=[column])]
        labels = pa.chunked_array(parts, type=parquet.schema_arrow.field(column).type)
    except (OSError, pa.ArrowException, KeyError, TypeError) as error:
        raise InputError(f"{file} is damaged: {error}") from None
    if not pa.types.is_integer(labels.type) or labels.null_count:
        raise InputError(f"{file}: column '{column}' must hold whole numbers, one for each image")
    return labels.to_numpy().astype(np.int64)


def _column(file: Path, parquet: pq.ParquetFile, candidates: tuple[str, ...], what: str) -> str:
    for name in candidates:
        if name in parquet.schema_arrow.names:
            return name
    raise InputError(
        f"{file} has no {what} column: expected one of {', '.join(candidates)}, "
        f"found {', '.join(parquet.schema_arrow.names)}"
    )


def _encoded(column: pa.Array, file: Path) -> list[bytes]:
    """The bytes of each cell, be it `{bytes, path}` or plain bytes; a cell with only a path names a file beside it."""
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        cells = column.to_pylist()
    elif pa.types.is_struct(column.type) and column.type.get_field_index("bytes") >= 0:
        return _encoded(column.field("bytes"), file)
    else:
        raise InputError(f"{file}: the image column is {column.type}, expected bytes or a struct with a field 'bytes'")
    if None in cells:
        raise InputError(f"{file} has an image without bytes (only a path): store the images in the Parquet file")
    return cells
