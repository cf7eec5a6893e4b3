"""What is known about each data set, and a description of whatever lies at a path."""

import csv
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dl_shared.data.image_sets import IMAGE_SETS
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.paths import user_path

if TYPE_CHECKING:
    from dl_shared.data.cli import CheckOptions, DownloadOptions, ListOptions
    from dl_shared.data.prices import Prices


@dataclass(frozen=True)
class Entry:
    """A data set: where it is published, on what terms, how to fetch it and how to describe a copy of it."""

    title: str
    origin: str
    terms: str
    describe: Callable[[Path], dict[str, Any]]
    fetch: Callable[["DownloadOptions"], dict[str, Any]] | None
    instead: str = ""
    """What to do where nothing can be fetched by name."""


def list_known(options: "ListOptions") -> list[dict[str, Any]]:
    """A row for each data set."""
    return [
        {"name": name, "title": entry.title, "source": entry.origin, "terms": entry.terms}
        for name, entry in CATALOGUE.items()
        if name != "reversal"  # made, not published
    ]


def fetch_named(options: "DownloadOptions") -> dict[str, Any]:
    """Fetch a data set and describe what came.

    Raises:
        InputError: if it cannot be fetched, or not by its name alone.
    """
    entry = CATALOGUE[options.name]
    if entry.fetch is None:
        raise InputError(f"{entry.title} cannot be fetched by name: {entry.instead}")
    if options.tickers and options.name != "stocks":
        raise InputError("--tickers is for stocks only")
    return {"name": options.name, **entry.fetch(options)}


def check(options: "CheckOptions") -> dict[str, Any]:
    """Read everything at a path, and say what it is.

    Raises:
        InputError: if nothing lies there, or its loader refuses it.
    """
    path = user_path(options.path)
    kinds = guess(path) if options.kind == "guess" else [options.kind]
    refusals = []
    for kind in kinds:
        try:
            return {"path": str(path), "kind": kind, **CATALOGUE[kind].describe(path)}
        except InputError as error:
            refusals.append(error)
    raise refusals[0]


def guess(path: Path) -> list[str]:
    """What may lie at a path, likeliest first, from the names of its files and the first line of a table.

    Raises:
        InputError: if nothing lies there, or nothing we know.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if images := _image_sets_at(path):
        return images
    if path.is_file():
        return [_kind_of_table(path)]
    if {"pos", "neg"} <= {folder.name for folder in path.rglob("*") if folder.is_dir()}:
        return ["imdb"]
    tables = [file for file in path.rglob("*.csv") if file.is_file()]
    tables.sort(key=lambda table: (table.name != "train.csv", table))
    return [_kind_of_table(tables[0]) if tables else "shakespeare"]


def _image_sets_at(path: Path) -> list[str]:
    """The image data sets that come in such a layout; which of them it is shows when the images are read."""
    from dl_shared.data.images import find_layout

    layout = find_layout(path, IMAGE_SETS["cifar10"])
    if layout is None:
        return []
    fashion = "fashion" in str(path.resolve()).lower()
    grey = "fashion_mnist" if fashion else "mnist"
    return [grey] if layout.kind == "IDX files" else ["cifar10", grey]


def _kind_of_table(file: Path) -> str:
    open_text = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with open_text(file, "rt", newline="", encoding="utf-8-sig") as opened:
            header = [name.strip().lower() for name in next(csv.reader(opened), [])]
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError, zlib.error):
        raise InputError(f"{file} is of no kind we know; see --kind in `dl-data check --help`") from None
    if "saleprice" in header or "mssubclass" in header:
        return "houses"
    if {"review", "sentiment"} <= set(header) or {"text", "label"} <= set(header):
        return "imdb"
    if "date" in header and any(name.startswith(("close", "adj")) for name in header):
        return "stocks"
    words = [word for field in header for word in field.split()]
    if words and all(word.lstrip("-").isdigit() for word in words):
        return "reversal"
    if file.name.lower().endswith((".csv", ".csv.gz")):
        raise InputError(f"{file} has the columns {', '.join(header[:8])}: of no kind we know")
    return "shakespeare"


def _describe_images(dataset: str) -> Callable[[Path], dict[str, Any]]:
    def describe(path: Path) -> dict[str, Any]:
        return _images(str(path), dataset)

    return describe


def _images(source: str, dataset: str) -> dict[str, Any]:
    from dl_shared.data.images import load_images

    loaded = load_images(source, dataset)
    height, width, channels = loaded.train.images.shape[1:]
    seen = {image.tobytes() for image in loaded.train.images}
    repeated = len(loaded.train) - len(seen)
    shared = sum(image.tobytes() in seen for image in loaded.test.images)
    quirks = list(loaded.quirks)
    if repeated:
        quirks.append(f"{repeated:,} training images occur more than once")
    if shared:
        quirks.append(f"{shared:,} test images occur in the training part too")
    return {
        "source": loaded.source,
        "images": f"{height} x {width} pixels, {'colour' if channels == 3 else 'grey'}",
        "train": len(loaded.train),
        "test": len(loaded.test),
        "fingerprint": loaded.fingerprint,
        "classes": _shares(loaded.train.labels, loaded.class_names),
        "quirks": quirks,
    }


def _shares(labels: np.ndarray, names: tuple[str, ...]) -> list[str]:
    counts = np.bincount(labels, minlength=len(names))
    return [f"{name}: {count:,} training images" for name, count in zip(names, counts, strict=True)]


def _describe_reviews(path: Path) -> dict[str, Any]:
    from dl_shared.data.reviews import read_reviews

    return _reviews(read_reviews(path))


def _fetch_reviews(options: "DownloadOptions") -> dict[str, Any]:
    from dl_shared.data.reviews import download_reviews

    return _reviews(download_reviews())


def _reviews(source: Any) -> dict[str, Any]:
    reviews, test = source.reviews, source.test
    words = np.array([len(text.split()) for text in reviews.texts])
    texts = [*reviews.texts, *(test.texts if test is not None else [])]
    quirks = [] if test is not None else ["no test part of its own: one is carved out, the same for each seed"]
    if repeated := len(texts) - len({" ".join(text.split()).casefold() for text in texts}):
        quirks.append(f"{repeated:,} reviews occur more than once")
    return {
        "reviews": len(reviews),
        "positive": int(np.sum(reviews.labels == 1)),
        "test": 0 if test is None else len(test),
        "words": f"{np.median(words):.0f} in the median review, {words.max():,} in the longest",
        "fingerprint": fingerprint(texts, reviews.labels),
        "quirks": quirks,
    }


def _describe_corpus(path: Path) -> dict[str, Any]:
    from dl_shared.data.corpus import read_corpus

    text = read_corpus(path)
    odd = sorted(set(text) - set(map(chr, range(32, 127))) - set("\n"))
    quirks = [f"{len(odd)} characters beyond plain ASCII, such as {odd[0]!r}"] if odd else []
    return {
        "characters": len(text),
        "lines": text.count("\n"),
        "alphabet": len(set(text)),
        "fingerprint": fingerprint([text]),
        "quirks": quirks,
    }


def _fetch_corpus(options: "DownloadOptions") -> dict[str, Any]:
    from dl_shared.data.corpus import download_shakespeare

    path = download_shakespeare()
    return {"path": str(path), **_describe_corpus(path)}


def _describe_prices(path: Path) -> dict[str, Any]:
    from dl_shared.data.prices import load_prices

    return _prices(load_prices(path))


def _fetch_prices(options: "DownloadOptions") -> dict[str, Any]:
    from dl_shared.data.yahoo import DEFAULT_TICKERS, fetch_prices

    return _prices(fetch_prices(options.tickers or DEFAULT_TICKERS))


def _prices(prices: "Prices") -> dict[str, Any]:
    frames = prices.frames
    values = [frame.to_numpy(float) for frame in frames.values()]
    return {
        "tickers": [
            f"{ticker}: {len(frame):,} days, {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}"
            for ticker, frame in frames.items()
        ],
        "days": sum(len(frame) for frame in frames.values()),
        "fingerprint": fingerprint(list(frames), *values),
        "quirks": list(prices.repairs),
    }


def _describe_houses(path: Path) -> dict[str, Any]:
    from dl_shared.data.houses import missing_counts, read_houses

    houses = read_houses(path)
    prices = houses.prices if houses.prices is not None else np.zeros(0)
    missing = missing_counts(houses.features)
    return {
        "houses": len(houses),
        "columns": houses.features.shape[1],
        "prices": f"{prices.min():,.0f} to {prices.max():,.0f} dollars, median {np.median(prices):,.0f}",
        "fingerprint": fingerprint(houses.features.astype(str).to_numpy().ravel().tolist(), prices),
        "quirks": [f"{name}: {row.missing:,} values missing" for name, row in missing.iterrows() if row.missing],
    }


def _describe_sequences(path: Path) -> dict[str, Any]:
    from dl_shared.data.reversal import drop_repeats, read_sequences

    sequences = read_sequences(path)
    repeated = len(sequences) - len(drop_repeats(sequences))
    return {
        "sequences": len(sequences),
        "lengths": f"{sequences.lengths.min()} to {sequences.lengths.max()}",
        "fingerprint": fingerprint(sequences.values, sequences.lengths),
        "quirks": [f"{repeated:,} sequences occur more than once"] if repeated else [],
    }


CATALOGUE: dict[str, Entry] = {
    **{
        name: Entry(
            spec.title,
            f"Hugging Face hub: {spec.hub_id}; mirrors: {', '.join(mirror.base for mirror in spec.mirrors)}",
            spec.terms,
            _describe_images(name),
            lambda options, name=name: _images("hub", name),  # type: ignore[misc]
        )
        for name, spec in IMAGE_SETS.items()
    },
    "imdb": Entry(
        "IMDb Large Movie Review Dataset v1.0",
        "Hugging Face hub: stanfordnlp/imdb",
        "Maas et al. 2011; no licence stated, citation requested",
        _describe_reviews,
        _fetch_reviews,
    ),
    "shakespeare": Entry(
        "Tiny Shakespeare",
        "GitHub: karpathy/char-rnn",
        "public domain",
        _describe_corpus,
        _fetch_corpus,
    ),
    "stocks": Entry(
        "Daily stock prices",
        "Yahoo Finance through yfinance",
        "Yahoo's terms: personal, non-commercial use",
        _describe_prices,
        _fetch_prices,
    ),
    "houses": Entry(
        "House Prices (Ames, Iowa)",
        "Kaggle: house-prices-advanced-regression-techniques",
        "De Cock 2011; the rules of the Kaggle competition apply",
        _describe_houses,
        None,
        "download train.csv from Kaggle (it asks for an account), and give its path as --data",
    ),
    "reversal": Entry("Integer sequences", "made on the spot", "", _describe_sequences, None),
}
