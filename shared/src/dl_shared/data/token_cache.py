"""Texts tokenised once: the ids are kept on disk as Arrow, under a fingerprint of all that they depend on."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dl_shared.data.tokens import Tokens
from dl_shared.files import atomic_path, cache_dir, fingerprint, write_text

VERSION = 1
AT_ONCE = 1000  # texts; a Rust tokenizer spreads them over the cores


def cached_tokens(texts: Sequence[str], tokenize: Callable[[list[str]], list[list[int]]], key: str) -> Tokens:
    """Ids of texts, from disk where they were made before; a file that has changed since is made again.

    Args:
        texts: as the tokenizer is to see them.
        tokenize: ids of some texts, neither cut nor with special tokens, so that one file serves any length.
        key: a digest of the tokenizer.
    """
    name = fingerprint([str(VERSION), key, fingerprint(texts)])
    path = cache_dir() / "tokens" / f"{name[:32]}.arrow"
    if not _is_as_written(path):
        _write(path, texts, tokenize)
    return _read(path)


def _write(path: Path, texts: Sequence[str], tokenize: Callable[[list[str]], list[list[int]]]) -> None:
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    features = Features({"input_ids": List(Value("int32"))})
    with atomic_path(path) as temporary, ArrowWriter(path=str(temporary), features=features) as writer:
        for start in range(0, len(texts), AT_ONCE):
            writer.write_batch({"input_ids": tokenize(list(texts[start : start + AT_ONCE]))})
        writer.finalize()
    write_text(_checksum_path(path), _checksum(path))


def _is_as_written(path: Path) -> bool:
    """Whether it is there, byte for byte: a damaged offset would be an address that is not ours."""
    kept = _checksum_path(path)
    return path.is_file() and kept.is_file() and kept.read_bytes() == _checksum(path).encode()


def _checksum_path(path: Path) -> Path:
    return path.with_suffix(".crc32")


def _checksum(path: Path) -> str:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def _read(path: Path) -> Tokens:
    """What lies there, memory-mapped."""
    from datasets import Dataset

    column = Dataset.from_file(str(path)).data.column("input_ids").combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # a column of no chunks stays one
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.list_(pa.int32()))
    ids, offsets = column.flatten().to_numpy(), column.offsets.to_numpy()
    return Tokens(ids, (offsets - offsets[0]).astype(np.int64))
