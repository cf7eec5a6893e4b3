"""Files made wrong by bits, bytes and blocks, and JSON made wrong by its values."""

import gzip
import io
import json
import random
import struct
import tarfile
import zlib
from collections.abc import Callable
from typing import Any

Files = dict[str, bytes]
"""Contents by path below a folder."""

LARGEST = 8 << 20  # bytes to which a file may grow
ODD_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF, 0x0A, 0x22, 0x2C)
ODD_NUMBERS = (0, 1, 64, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)
LONG_TEXT = "9" * 5000  # more digits than Python turns into a number
ODD_VALUES = (
    *("null", "true", "0", "-1", "1e400", "-1e308", "1e-320", "NaN", "Infinity", '""', "[]", "{}", "[[]]"),
    *('"\\ud800"', '"\\u0000"', '"$x_{$"', '"<script>"', '"../../x"', '"20261121T101112Z"', "[1, 2]"),
    *(str(10**400), LONG_TEXT, "[" * 100_000, f'"{"x" * 300}"', f'"{"long " * 20_000}"'),
)


def damage(raw: bytes, rng: random.Random) -> bytes:
    """One to three edits, most often one."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        raw = rng.choice(_EDITS)(raw, rng)[:LARGEST]
    return raw


def _place(raw: bytes, rng: random.Random) -> int:
    """Anywhere, but more often near the beginning and the end, where headers and footers are."""
    near = rng.random()
    if near < 0.4:
        return min(rng.randrange(96), len(raw))
    if near < 0.6:
        return max(0, len(raw) - rng.randrange(1, 400))
    return rng.randrange(len(raw) + 1)


def _block(raw: bytes, rng: random.Random) -> tuple[int, int]:
    start = _place(raw, rng)
    return start, min(len(raw), start + 2 ** rng.randrange(12))


def _flip(raw: bytes, rng: random.Random) -> bytes:
    changed = bytearray(raw)
    if changed:
        changed[min(_place(raw, rng), len(raw) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _odd_byte(raw: bytes, rng: random.Random) -> bytes:
    place = _place(raw, rng)
    return raw[:place] + bytes([rng.choice(ODD_BYTES)]) + raw[place + 1 :]


def _odd_number(raw: bytes, rng: random.Random) -> bytes:
    place, size = _place(raw, rng), rng.choice((2, 4, 8))
    number = rng.choice(ODD_NUMBERS) & ((1 << 8 * size) - 1)
    return raw[:place] + number.to_bytes(size, rng.choice(("little", "big"))) + raw[place + size :]


def _more_digits(raw: bytes, rng: random.Random) -> bytes:
    """A number that is written out, as in the headers of tar and npy, becomes a large one."""
    digits = [place for place, byte in enumerate(raw[:4096]) if 0x30 <= byte <= 0x39]
    place = rng.choice(digits) if digits else 0
    return raw[:place] + b"9" * rng.choice((1, 2, 8, 20)) + raw[place + rng.choice((0, 1, 8)) :]


def _cut(raw: bytes, rng: random.Random) -> bytes:
    return raw[: _place(raw, rng)]


def _insert(raw: bytes, rng: random.Random) -> bytes:
    place = _place(raw, rng)
    return raw[:place] + rng.randbytes(2 ** rng.randrange(8)) + raw[place:]


def _delete(raw: bytes, rng: random.Random) -> bytes:
    start, stop = _block(raw, rng)
    return raw[:start] + raw[stop:]


def _double(raw: bytes, rng: random.Random) -> bytes:
    start, stop = _block(raw, rng)
    return raw[:stop] + raw[start:stop] * rng.choice((1, 1, 2, 50)) + raw[stop:]


def _swap(raw: bytes, rng: random.Random) -> bytes:
    (start, stop), (other, end) = sorted((_block(raw, rng), _block(raw, rng)))
    if stop > other:
        return raw
    return raw[:start] + raw[other:end] + raw[stop:other] + raw[start:stop] + raw[end:]


def _blank(raw: bytes, rng: random.Random) -> bytes:
    start, stop = _block(raw, rng)
    return raw[:start] + bytes(stop - start) + raw[stop:]


def _grow(raw: bytes, rng: random.Random) -> bytes:
    start, stop = _block(raw, rng)
    more = 2 ** rng.randrange(10, 21) // max(1, stop - start)
    return raw[:stop] + raw[start:stop] * more + raw[stop:]


_EDITS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    *(_flip, _flip, _flip, _odd_byte, _odd_number, _odd_number, _more_digits),
    *(_cut, _insert, _delete, _double, _swap, _blank, _grow),
)


def one_file(files: Files, rng: random.Random, edit: Callable[[str, bytes], bytes]) -> Files:
    """One of the files edited; now and then one is missing, empty, or in another's place."""
    names = sorted(files)
    name = rng.choice(names)
    kind = rng.random()
    if kind < 0.02 and len(names) > 1:
        return {other: raw for other, raw in files.items() if other != name}
    if kind < 0.03:
        return {**files, name: b""}
    if kind < 0.04:
        return {**files, name: files[rng.choice(names)]}
    return {**files, name: edit(name, files[name])}


def by_bytes(files: Files, rng: random.Random) -> Files:
    """For binary formats. What is compressed is sometimes damaged inside, so that decompressing it works."""

    def edit(name: str, raw: bytes) -> bytes:
        if raw[:2] == b"\x1f\x8b" and rng.random() < 0.6:
            return gzip.compress(damage(gzip.decompress(raw), rng), compresslevel=1, mtime=0)
        if raw[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.3:
            return _png_header(raw, rng)
        return damage(raw, rng)

    return one_file(files, rng, edit)


def _png_header(raw: bytes, rng: random.Random) -> bytes:
    """Another width, height or kind of pixel, with the right checksum."""
    header = bytearray(raw[12:29])
    if rng.random() < 0.7:
        struct.pack_into(">I", header, rng.choice((4, 8)), rng.choice((0, 1, 31, 20_000, 13_000, 0x7FFF_FFFF)))
    else:
        header[rng.choice((12, 13, 16))] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16))
    return raw[:12] + header + struct.pack(">I", zlib.crc32(header)) + raw[33:]


def by_members(files: Files, rng: random.Random) -> Files:
    """For archives: damaged members in a sound archive, or sound members whose headers say something else."""
    if rng.random() < 0.4:
        return by_bytes(files, rng)

    def edit(name: str, raw: bytes) -> bytes:
        written = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(raw)) as old, tarfile.open(fileobj=written, mode="w") as new:
            for member in old.getmembers():
                file = old.extractfile(member)
                content = file.read() if file else b""
                if rng.random() < 0.3:
                    content = damage(content, rng)
                    member.size = len(content)
                new.addfile(member, io.BytesIO(content))
        plain = bytearray(written.getvalue())
        if rng.random() < 0.4:
            _tar_header(plain, rng)
        return gzip.compress(bytes(plain), compresslevel=1, mtime=0)

    return one_file(files, rng, edit)


def _tar_header(plain: bytearray, rng: random.Random) -> None:
    """The first member's size, negative ones included, or its kind, with the right checksum."""
    if rng.random() < 0.7:
        size = rng.choice((-512, -1024, -3072, -(1 << 40), 1 << 40, 1 << 62, 0, 1))
        plain[124:136] = (b"\xff" if size < 0 else b"\x80") + (size & ((1 << 88) - 1)).to_bytes(11, "big")
    else:
        plain[156:157] = rng.choice((b"L", b"K", b"x", b"g", b"S", b"5", b"1", b"7", b"\0"))
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain[:512])


def by_values(files: Files, rng: random.Random) -> Files:
    """For JSON, one document a file or a line; other files are damaged by bytes."""

    def edit(name: str, raw: bytes) -> bytes:
        if not name.endswith((".json", ".jsonl")) or rng.random() < 0.15:
            return damage(raw, rng)
        if name.endswith(".json"):
            return odd_json(raw, rng)
        lines = raw.splitlines() or [b"{}"]
        row = rng.randrange(len(lines))
        lines[row] = odd_json(lines[row], rng)
        return b"\n".join(lines) + b"\n"

    return one_file(files, rng, edit)


def odd_json(raw: bytes, rng: random.Random) -> bytes:
    """The same document, where one to three values are others, are missing, or have another name."""
    document = json.loads(raw)
    marks: dict[str, str] = {}
    for number in range(rng.choice((1, 1, 2, 3))):
        holder, key = rng.choice([(None, None), *_places(document)])
        mark = f"@{number}@"
        marks[mark] = rng.choice(ODD_VALUES)
        if holder is None:
            if rng.random() < 0.2:
                document = mark
        elif rng.random() < 0.15:
            del holder[key]
        elif isinstance(holder, dict) and rng.random() < 0.1:
            holder[rng.choice(("", "\ud800", "x" * 300, "$y$", "loss", "accuracy"))] = holder.pop(key)
        else:
            holder[key] = mark
    text = json.dumps(document)
    for mark, value in marks.items():
        text = text.replace(json.dumps(mark), value)
    return text.encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a value in a document, as its holder and the key there."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [(value, key) for key, _ in items] + [place for _, inner in items for place in _places(inner)]
