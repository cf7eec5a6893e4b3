"""Texts tokenised once: the ids are kept on disk as Arrow, under a fingerprint of all that they depend on."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dl_shared.data.tokens import Tokens
from dl_shared.files import atomic_path, cache_dir, fingerprint

VERSION = 1
AT_ONCE = 1000  # texts; a Rust tokenizer spreads them over the cores


def cached_tokens(
    texts: Sequence[str], tokenize: Callable[[list[str]], list[list[int]]], key: str, *, vocab_size: int
) -> Tokens:
    """Ids of texts, from disk where they were made before; a damaged file is made again.

    Args:
        texts: as the tokenizer is to see them.
        tokenize: ids of some texts, neither cut nor with special tokens, so that one file serves any length.
        key: a digest of the tokenizer.
        vocab_size: ids are below it.
    """
    name = fingerprint([str(VERSION), key, fingerprint(texts)])
    path = cache_dir() / "tokens" / f"{name[:32]}.arrow"
    stored = _read(path, len(texts), vocab_size)
    if stored is None:
        _write(path, texts, tokenize)
        stored = _read(path, len(texts), vocab_size)
        assert stored is not None, "what was written can be read"
    return stored


def _write(path: Path, texts: Sequence[str], tokenize: Callable[[list[str]], list[list[int]]]) -> None:
    from datasets import Features, List, Value
    from datasets.arrow_writer import ArrowWriter

    features = Features({"input_ids": List(Value("int32"))})
    with atomic_path(path) as temporary, ArrowWriter(path=str(temporary), features=features) as writer:
        for start in range(0, len(texts), AT_ONCE):
            writer.write_batch({"input_ids": tokenize(list(texts[start : start + AT_ONCE]))})
        writer.finalize()


def _read(path: Path, texts: int, vocab_size: int) -> Tokens | None:
    """What lies there, memory-mapped, or None where it is absent, cut short, or of other texts."""
    from datasets import Dataset

    if not path.is_file():
        return None
    try:
        column = Dataset.from_file(str(path)).data.column("input_ids").combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # a column of no chunks stays one
            column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], pa.list_(pa.int32()))
        column.validate(full=True)  # else a damaged offset is an address that is not ours
    except Exception:  # damaged files fail in every way there is
        return None
    if not pa.types.is_list(column.type) or column.type.value_type != pa.int32():
        return None
    if column.null_count or column.values.null_count:
        return None
    ids, offsets = column.flatten().to_numpy(), column.offsets.to_numpy()
    if len(column) != texts or (len(ids) and not (ids.min() >= 0 and ids.max() < vocab_size)):
        return None
    return Tokens(ids, (offsets - offsets[0]).astype(np.int64))
