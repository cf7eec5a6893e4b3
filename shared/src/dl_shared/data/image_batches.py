"""CIFAR-10 as its author publishes it: binary batches, Python batches, and the archives of either."""

import io
import pickle
import re
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dl_shared.data.image_sets import Decoded, ImageSet, Layout, Split, one_folder
from dl_shared.errors import InputError

SHAPE = (32, 32, 3)
PIXELS = 32 * 32 * 3
MAX_BATCH_BYTES = 64 << 20  # twice the largest official batch; an archive cannot make us read more at once
_NAME = re.compile(r"(data_batch_\d+|test_batch)(\.bin)?")

Batch = tuple[np.ndarray, np.ndarray]


def recognise_batches(files: Sequence[Path], spec: ImageSet) -> Layout | None:
    """Files named `data_batch_1.bin` ... `test_batch.bin`, or the same without `.bin` for the Python version."""
    for suffix, kind, parse in (
        (".bin", "CIFAR-10's binary batches", parse_binary_batch),
        ("", "CIFAR-10's Python batches", parse_python_batch),
    ):
        found = [file for file in files if (match := _NAME.fullmatch(file.name)) and (match[2] or "") == suffix]
        if found:
            one_folder(found, kind)
            return Layout(kind, tuple(sorted(found)), _reader(sorted(found), parse, spec))
    return None


def recognise_archive(files: Sequence[Path], spec: ImageSet) -> Layout | None:
    """One tar archive, compressed or not, with the batches inside; nothing is extracted to disk."""
    if len(files) != 1 or not _is_archive(files[0]):
        return None
    return Layout("CIFAR-10's archive", (files[0],), lambda: _read_archive(files[0], spec))


def _is_archive(file: Path) -> bool:
    try:
        return tarfile.is_tarfile(file)
    except (OSError, EOFError, zlib.error):  # compressed, and cut short within the first header
        return False


def _reader(files: Sequence[Path], parse: Callable[[bytes, str], Batch], spec: ImageSet) -> Callable[[], Decoded]:
    def read() -> Decoded:
        return _joined(((file.name, parse(file.read_bytes(), str(file))) for file in files), spec, str(files[0].parent))

    return read


def _read_archive(file: Path, spec: ImageSet) -> Decoded:
    batches: list[tuple[str, Batch]] = []
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                if member.size < 0 or member.issparse():  # the next member would be this one again; bytes from nothing
                    raise InputError(f"{file}: {member.name[:100]} is not what an archive of CIFAR-10 holds")
                match = _NAME.fullmatch(Path(member.name).name)
                content = archive.extractfile(member) if match and member.isfile() else None
                if match and content is not None:
                    parse = parse_binary_batch if match[2] else parse_python_batch
                    where = f"{file}: {member.name}"
                    if member.size > MAX_BATCH_BYTES:
                        raise InputError(f"{where} is too large for a batch of CIFAR-10 ({member.size:,} bytes)")
                    batches.append((match[0], parse(content.read(), where)))
    except InputError:
        raise
    except Exception as error:  # damaged archives fail in every way there is
        raise InputError(f"{file} is damaged or cut short: {error}; download it again") from None
    return _joined(sorted(batches, key=lambda batch: batch[0]), spec, str(file))


def _joined(batches: Any, spec: ImageSet, where: str) -> Decoded:
    """Training batches in order of their names; official files hold five of 10,000 images."""
    if spec.shape != SHAPE:
        raise InputError(f"{where} holds CIFAR-10's batches, expected {spec.title}")
    parts: dict[bool, list[Batch]] = {False: [], True: []}
    for name, batch in batches:
        parts[name.startswith("test")].append(batch)
    for is_test, name in ((False, "data_batch_1"), (True, "test_batch")):
        if not parts[is_test]:
            raise InputError(f"{where} lacks {name}: the {'test' if is_test else 'training'} part is missing")
    train, test = (
        Split(*(np.concatenate(arrays) for arrays in zip(*parts[is_test], strict=True))) for is_test in (False, True)
    )
    return Decoded(train, test, spec.class_names)


def parse_binary_batch(raw: bytes, where: str) -> Batch:
    """Images and labels of one binary batch: for each image a label byte, then red, green and blue rows.

    Raises:
        InputError: if the size is not a whole number of images.
    """
    if len(raw) == 0 or len(raw) % (1 + PIXELS):
        raise InputError(
            f"{where} has {len(raw):,} bytes, not a whole number of images of {1 + PIXELS} bytes: it is cut short"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, 1 + PIXELS)
    return _channels_last(rows[:, 1:]), rows[:, 0].astype(np.int64)


def parse_python_batch(raw: bytes, where: str) -> Batch:
    """Images and labels of one Python batch: a pickled dictionary with `data` and `labels`.

    Only numbers, text, plain containers and arrays of numbers are unpickled, and nothing is called.

    Raises:
        InputError: if the file asks for anything else, or is damaged.
    """
    try:
        content: Any = _PlainUnpickler(io.BytesIO(raw), encoding="bytes").load()
    except _RefusedError as error:
        raise InputError(f"{where} is refused: it asks for {str(error)[:80]!r}, and data must not run code") from None
    except Exception:  # damaged pickles fail in every way there is
        raise InputError(f"{where} is not a Python batch of CIFAR-10, or is cut short") from None
    try:
        fields = {_text(key): value for key, value in content.items() if isinstance(key, bytes | str)}
        data, labels = fields["data"].value, _numbers(fields["labels"])
        if data.dtype != np.uint8 or data.shape != (len(labels), PIXELS) or labels.dtype.kind not in "iu":
            raise ValueError
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise InputError(
            f"{where} is not a batch of CIFAR-10: it must hold `data`, bytes of {PIXELS} pixels an image, and `labels`"
        ) from None
    return _channels_last(data), labels.astype(np.int64)


def _channels_last(rows: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


def _text(key: Any) -> str:
    return key.decode("ascii", "replace") if isinstance(key, bytes) else str(key)


class _RefusedError(Exception):
    """A pickle asked for something that is not plain data."""


class _Dtype:
    """Stands in for `numpy.dtype` while unpickling: a number type, and nothing else."""

    def __init__(self, code: Any, *_: Any) -> None:
        self.code = _text(code)
        if not re.fullmatch(r"[<>=|]?[buif]\d", self.code):
            raise _RefusedError(f"an array of type {self.code}")

    def __setstate__(self, state: Any) -> None:
        order = _text(state[1])
        self.code = (order if order in "<>" else "") + self.code.lstrip("<>=|")


class _Array:
    """Stands in for `numpy.ndarray`: made from a shape, a number type and bytes by our own hands."""

    value: np.ndarray

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, raw = state
        self.value = np.frombuffer(raw, dtype.code).reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, raw: bytes) -> Any:
    return np.frombuffer(raw, dtype.code)[0]


def _from_buffer(raw: Any, dtype: _Dtype, shape: tuple[int, ...], order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _latin1(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in old protocols."""
    if encoding != "latin1":
        raise _RefusedError(f"the codec {encoding}")
    return text.encode("latin1")


def _numbers(labels: Any) -> np.ndarray:
    """From an array or a flat list; a list that holds itself ten times over, ten levels deep, is not unfolded."""
    if isinstance(labels, list) and all(type(label) is int for label in labels):
        return np.array(labels, np.int64)
    return labels.value


class _PlainUnpickler(pickle._Unpickler):
    """Finds stand-ins for what a pickled NumPy array names, and nothing else.

    It is the one written in Python: that in C takes gigabytes for a memo whose number is large, at the word of a file.
    So would both for a long bytearray, before they read it; bytes do as well.
    """

    dispatch = {  # noqa: RUF012
        **pickle._Unpickler.dispatch,  # type: ignore[attr-defined]
        pickle.BYTEARRAY8[0]: pickle._Unpickler.load_binbytes8,  # type: ignore[attr-defined]
    }
    ADMITTED = {  # noqa: RUF012
        "multiarray._reconstruct": lambda *_: _Array(),
        "multiarray.scalar": _scalar,
        "numeric._frombuffer": _from_buffer,
        "numpy.ndarray": _Array,
        "numpy.dtype": _Dtype,
        "_codecs.encode": _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        asked = f"{module}.{name}"
        found = self.ADMITTED.get(re.sub(r"^numpy\._?core\.", "", asked))
        if found is None:
            raise _RefusedError(asked)
        return found
