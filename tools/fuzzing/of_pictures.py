"""Image data sets in every layout, single pictures, and the caches of what was decoded or computed."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from dl_shared.baselines.cache import cached
from dl_shared.data.image_cache import decoded_once
from dl_shared.data.image_files import read_image_files
from dl_shared.data.image_sets import Decoded, Split
from dl_shared.data.images import load_images
from dl_shared.data.token_cache import cached_tokens
from dl_shared.errors import InputError
from fuzzing.damage import Files, by_bytes, by_members
from fuzzing.formats import Format
from fuzzing.source import Source
from fuzzing.tables import by_cells

sys.path.append(str(Path(__file__).resolve().parents[2] / "shared" / "tests"))
import image_layouts as layouts

COLOUR, GREY = (32, 32, 3), (28, 28, 1)
FOLDERS = st.sampled_from(
    ("train", "test", "val", "cat", "dog", "0", "1", "10", "²", "٣", "9" * 30, " ", "T-shirt_top", "Train", ".hidden")
) | st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
NAMES = st.sampled_from(
    (
        *("0.png", "1.jpg", "train-00000-of-00009.parquet", "trainLabels.csv", "data_batch_1", "test_batch.bin"),
        *("train-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz", "a.csv", "a.txt", "x.parquet", "pos", ".png"),
    )
)

MOVES = st.lists(st.tuples(FOLDERS, NAMES, st.booleans()), min_size=1, max_size=4)


def _few(shape: tuple[int, int, int] = COLOUR, train: int = 12, test: int = 4) -> tuple[Split, Split]:
    return layouts.make_parts(shape, train, test)


def _bytes(files: Files, source: Source) -> Files:
    return by_bytes(files, source.rng)


def _places(files: Files, source: Source) -> Files:
    """Files in other folders and under other names, and some of them damaged."""
    rng, moved = source.rng, dict(files)
    for folder, name, keep in source.draw(MOVES):
        old = rng.choice(sorted(files))
        content = moved.get(old, b"") if keep else moved.pop(old, b"")
        parts = Path(old).parts
        place = rng.randrange(len(parts))
        moved[str(Path(*parts[:place], folder, *(parts[place + 1 :] or [name])))[:200]] = content
    taken = {str(parent) for path in moved for parent in Path(path).parents}
    moved = {path: raw for path, raw in moved.items() if path not in taken and ".." not in Path(path).parts}
    return moved if rng.random() < 0.6 or not moved else by_bytes(moved, rng)


def _labels(files: Files, source: Source) -> Files:
    """The table of Kaggle's layout, and now and then a picture."""
    if source.rng.random() < 0.2:
        return by_bytes(files, source.rng)
    return {**files, **by_cells({"trainLabels.csv": files["trainLabels.csv"]}, source)}


def _load(path: Path, seed: str) -> Any:
    return load_images(str(path), "mnist" if "grey" in seed else "cifar10")


def _picture(name: str, mode: str, size: tuple[int, int] = (40, 30), **options: Any) -> Callable[[Path], Any]:
    def write(folder: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 255, (size[1] // 8 + 1, size[0] // 8 + 1, 4), dtype=np.uint8)
        image = Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        elif mode != "RGBA":
            image = image.convert("RGB").convert(mode)
        image.save(folder / name, **options)

    return write


def _read_picture(path: Path, seed: str) -> Any:
    files = [path] if path.is_file() else sorted(path.iterdir())
    return [read_image_files(files, 32, channels) for channels in (3, 1)]


def _decoded() -> Decoded:
    train, test = _few(train=8)
    return Decoded(train, test, layouts.CIFAR.class_names, ("a note",))


def _image_cache(path: Path, seed: str) -> Any:
    stored, whole = decoded_once("cifar10", [], _decoded), _decoded()
    assert np.array_equal(stored.train.images, whole.train.images), "the cache gave other pictures"
    return stored


def _baseline_cache(path: Path, seed: str) -> Any:
    arrays = {"scores": np.arange(50.0), "names": np.array(["a", "bb"])}
    return cached("fuzz", "ab" * 32, lambda: arrays)


def _token_cache(path: Path, seed: str) -> Any:
    texts = [f"text {number}" for number in range(30)]
    ids = [[number, number + 1, 7][: 1 + number % 3] for number in range(30)]
    tokens = cached_tokens(texts, lambda some: [ids[texts.index(text)] for text in some], "key")
    assert [tokens[text].tolist() for text in range(len(tokens))] == ids, "the cache gave other tokens"
    return tokens


def _refused_cache(read: Callable[[Path, str], Any]) -> Callable[[Path, str], Any]:
    """A damaged cache is no fault of the user's, and must never be told as one."""

    def check(path: Path, seed: str) -> Any:
        try:
            return read(path, seed)
        except InputError as error:
            raise RuntimeError("a damaged cache was told as wrong input") from error

    return check


def _cache(name: str, read: Callable[[Path, str], Any], share: float = 1.0) -> Format:
    return Format(
        name=name,
        seeds={"kept": lambda folder: read(folder, "")},
        break_=_bytes,
        read=_refused_cache(read),
        share=share,
        is_cache=True,
    )


FORMATS = [
    Format(
        name="images-parquet",
        seeds={
            "hub": lambda folder: layouts.write_parquet(folder, _few()),
            "plain grey": lambda folder: layouts.write_parquet(
                folder, _few(GREY), image="image", features=False, plain_bytes=True
            ),
            "large": lambda folder: layouts.write_parquet(folder, _few(train=1500)),
        },
        break_=_bytes,
        read=_load,
    ),
    Format(
        name="images-binary",
        seeds={
            "batches": lambda folder: layouts.write_binary(folder, _few()),
            "large": lambda folder: layouts.write_binary(folder, _few(train=3000)),
        },
        break_=_bytes,
        read=_load,
    ),
    Format(
        name="images-python",
        seeds={
            "bytes": lambda folder: layouts.write_python(folder, _few()),
            "text": lambda folder: layouts.write_python(folder, _few(), protocol=0, keys=str),
            "newest": lambda folder: layouts.write_python(folder, _few(), protocol=5),
            "large": lambda folder: layouts.write_python(folder, _few(train=3000)),
        },
        break_=_bytes,
        read=_load,
    ),
    Format(
        name="images-archive",
        seeds={
            "binary": lambda folder: layouts.write_archive(folder / "cifar.tar.gz", _few(), "binary"),
            "python": lambda folder: layouts.write_archive(folder / "cifar.tar.gz", _few(), "python"),
        },
        break_=lambda files, source: by_members(files, source.rng),
        read=_load,
    ),
    Format(
        name="images-idx",
        seeds={
            "grey gz": lambda folder: layouts.write_idx(folder, _few(GREY)),
            "grey plain": lambda folder: layouts.write_idx(folder, _few(GREY), compress=False),
            "large grey": lambda folder: layouts.write_idx(folder, _few(GREY, train=10_000)),
        },
        break_=_bytes,
        read=_load,
    ),
    Format(
        name="images-folders",
        seeds={
            "parts": lambda folder: layouts.write_folders(folder, _few(train=20, test=10)),
            "one part": lambda folder: layouts.write_folders(folder, _few(train=20)[:1], part_names=("",)),
            "numbers grey": lambda folder: layouts.write_folders(folder, _few(GREY, 20, 10), names="0123456789"),
        },
        break_=_places,
        read=_load,
    ),
    Format(
        name="images-kaggle",
        seeds={"train": lambda folder: layouts.write_kaggle(folder, _few(train=20)[0])},
        break_=_labels,
        read=_load,
    ),
    Format(
        name="pictures",
        seeds={
            "png": _picture("a.png", "RGBA"),
            "palette": _picture("a.png", "P", transparency=3),
            "bits": _picture("a.png", "1"),
            "16 bits": _picture("a.png", "I;16"),
            "jpeg": _picture("a.jpg", "RGB", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"),
            "jpeg cmyk": _picture("a.jpg", "CMYK"),
            "gif": _picture("a.gif", "P"),
            "bmp": _picture("a.bmp", "RGB"),
            "webp": _picture("a.webp", "RGBA"),
            "tiff": _picture("a.tiff", "RGB", compression="tiff_lzw"),
            "tiff plain": _picture("a.tiff", "F"),
            "ppm": _picture("a.ppm", "RGB"),
            "ico": _picture("a.ico", "RGBA"),
            "jpeg 2000": _picture("a.jp2", "RGB"),
            "tga": _picture("a.tga", "RGBA", compression="tga_rle"),
            "large png": _picture("a.png", "RGBA", (4000, 3000)),
            "large jpeg": _picture("a.jpg", "RGB", (6000, 4000)),
        },
        break_=_bytes,
        read=_read_picture,
        share=2.0,
    ),
    _cache("image-cache", _image_cache),
    _cache("baseline-cache", _baseline_cache),
    _cache("token-cache", _token_cache),
]
