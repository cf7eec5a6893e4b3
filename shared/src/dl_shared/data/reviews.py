"""Film reviews with a label: Kaggle's CSV, the original folders of IMDb, and the hub's Parquet."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from dl_shared.data.cells import read_cells
from dl_shared.data.corpus import read_text
from dl_shared.errors import InputError

HUB = "stanfordnlp/imdb"
CLASSES = ("negative", "positive")
LAYOUTS = "give Kaggle's CSV (review,sentiment), IMDb's folder (train|test/pos|neg), or the hub's Parquet (text,label)"
COLUMNS = (("review", "sentiment"), ("text", "label"))

_LABELS = {"negative": 0, "neg": 0, "0": 0, "positive": 1, "pos": 1, "1": 1}
_BREAK = re.compile(r"<\s*/?\s*br\s*/?\s*>", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class Reviews:
    """Texts and labels; row i of each belongs to review i."""

    texts: list[str]
    labels: Int[np.ndarray, " reviews"]
    """int64: 0 negative, 1 positive."""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Int[np.ndarray, " some"]) -> "Reviews":
        """Some of the reviews, in the order given."""
        return Reviews([self.texts[row] for row in rows], self.labels[rows])


@dataclass(frozen=True)
class Source:
    """What a source holds: its own test part, or None where it has one part only."""

    reviews: Reviews
    test: Reviews | None


@dataclass(frozen=True)
class Splits:
    """The three parts, and how many reviews were left out because their text came before."""

    train: Reviews
    validation: Reviews
    test: Reviews
    repeated: int


def clean(text: str) -> str:
    """Without markup: line breaks and runs of space become one space, entities their characters."""
    return _SPACE.sub(" ", html.unescape(_BREAK.sub(" ", text))).strip()


def read_reviews(path: Path) -> Source:
    """Read reviews from a path; what lies there decides how.

    Raises:
        InputError: if there is nothing that can be read, or a review or label in it cannot be used.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist; {LAYOUTS}")
    if path.is_file():
        return Source(_read_table(path), None)
    root = next((folder for folder in (path, path / "aclImdb") if (folder / "train" / "pos").is_dir()), None)
    if root is not None:
        return Source(_read_folders(root / "train"), _read_folders(root / "test") if (root / "test").is_dir() else None)
    if (path / "pos").is_dir() and (path / "neg").is_dir():
        return Source(_read_folders(path), None)
    parquet = sorted(file for file in path.rglob("*.parquet") if file.is_file())
    train = [file for file in parquet if file.name.startswith("train")]
    if train:
        test = [file for file in parquet if file.name.startswith("test")]
        return Source(_read_tables(train), _read_tables(test) if test else None)
    tables = parquet or sorted(file for file in path.glob("*.csv") if file.is_file())
    if len(tables) == 1:
        return Source(_read_table(tables[0]), None)
    found = f"has {len(tables)} tables" if tables else "holds no reviews"
    raise InputError(f"{path} {found}; {LAYOUTS}")


def download_reviews() -> Source:
    """The reviews of the Hugging Face hub, 25,000 for training and 25,000 for testing, through `datasets`.

    Raises:
        InputError: if the hub cannot be reached.
    """
    from datasets import config, load_dataset
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub import constants

    from dl_shared.data.image_hub import answering, hub_endpoint

    if not answering([hub_endpoint()]):
        # Offline, `datasets` looks into its cache at once; else it retries for half a minute, and says so each time.
        # Both libraries read the environment when they were imported, so that it is too late to tell them there.
        constants.HF_HUB_OFFLINE = config.HF_HUB_OFFLINE = True
    try:
        parts = {name: load_dataset(HUB, split=name) for name in ("train", "test")}
    except (OSError, DatasetNotFoundError) as error:
        reason = str(error).strip() or type(error).__name__
        raise InputError(
            f"the hub cannot be reached ({reason[:120]}); use --data sample, or --data with the path of a copy"
        ) from None
    train, test = (Reviews(list(part["text"]), np.asarray(part["label"], np.int64)) for part in parts.values())
    return Source(train, test)


def split_reviews(
    source: Source, seed: int, *, validation_share: float = 0.1, test_share: float = 0.2, cleaned: bool = True
) -> Splits:
    """Train, validation and test, each with the classes in the same proportion.

    A test part that comes with the source stays the test part; else `test_share` of the reviews becomes it.
    `validation_share` is of what is left for training. A text that occurs again is left out, and of a text in both
    parts the one in the test part is kept: what is tested has never been read.

    Raises:
        InputError: if one class is missing, or there are too few reviews for three parts.
    """
    fit, test = source.reviews, source.test
    if cleaned:
        fit, test = _cleaned(fit), None if test is None else _cleaned(test)
    before = len(fit) + (0 if test is None else len(test))
    seen: set[str] = set()
    if test is not None:
        test = _first_of_each(test, seen)
        _check_classes(test, "the test part")
    fit = _first_of_each(fit, seen)
    _check_classes(fit, "the training part")
    repeated = before - len(fit) - (0 if test is None else len(test))
    if test is None:
        fit, test = _cut(fit, test_share, seed)
    train, validation = _cut(fit, validation_share, seed)
    return Splits(train, validation, test, repeated)


def _cleaned(reviews: Reviews) -> Reviews:
    return Reviews([clean(text) for text in reviews.texts], reviews.labels)


def _first_of_each(reviews: Reviews, seen: set[str]) -> Reviews:
    """The reviews whose text, but for case and space, is not in `seen`, which grows."""
    rows = []
    for row, text in enumerate(reviews.texts):
        key = _SPACE.sub(" ", text).strip().casefold()
        if key not in seen:
            seen.add(key)
            rows.append(row)
    return reviews.take(np.array(rows, dtype=np.int64))


def _cut(reviews: Reviews, share: float, seed: int) -> tuple[Reviews, Reviews]:
    try:
        kept, cut = train_test_split(
            np.arange(len(reviews)), test_size=share, stratify=reviews.labels, random_state=seed
        )
    except ValueError:
        raise InputError(f"{len(reviews):,} reviews are too few to split; give at least 20 of each class") from None
    return reviews.take(kept), reviews.take(cut)


def _check_classes(reviews: Reviews, where: str) -> None:
    counts = np.bincount(reviews.labels, minlength=2)
    if not counts.all():
        only = CLASSES[int(counts.argmax())]
        raise InputError(f"all reviews of {where} are {only}; give both positive and negative ones")


def _read_folders(folder: Path) -> Reviews:
    """`pos/*.txt` and `neg/*.txt`; other folders, such as the unlabelled `unsup`, are not read."""
    texts: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(("neg", "pos")):
        files = sorted((folder / name).glob("*.txt"))
        if not files:
            raise InputError(f"{folder / name} has no .txt file; {LAYOUTS}")
        texts += [read_text(file) for file in files]
        labels += [label] * len(files)
    return Reviews(texts, np.array(labels, dtype=np.int64))


def _read_tables(paths: Sequence[Path]) -> Reviews:
    parts = [_read_table(path) for path in paths]
    return Reviews([text for part in parts for text in part.texts], np.concatenate([part.labels for part in parts]))


def _read_table(path: Path) -> Reviews:
    """One CSV or Parquet file."""
    frame = _read_parquet(path) if _is_parquet(path) else read_cells(path, needed=LAYOUTS)
    pair = next((pair for pair in COLUMNS if set(pair) <= set(frame.columns)), None)
    if pair is None:
        found = ", ".join(str(column)[:30] for column in frame.columns[:6])
        raise InputError(f"{path} has the columns {found}; needed are review,sentiment or text,label")
    if frame.empty:
        raise InputError(f"{path} has a header and no reviews")
    texts, words = frame[pair[0]], frame[pair[1]].astype(str).str.strip().str.lower()
    unlabelled = words == "-1"  # the hub marks reviews without a label so
    texts, words = texts[~unlabelled], words[~unlabelled]
    if texts.empty:
        raise InputError(f"{path} has no review with a label")
    empty = np.flatnonzero(texts.isna() | (texts.astype(str).str.strip() == ""))
    if empty.size:
        raise InputError(
            f"{path}: review {empty[0] + 1} is empty ({empty.size:,} of {len(texts):,} are); fill or delete them"
        )
    labels = words.map(_LABELS)
    if (unknown := words[labels.isna()]).size:
        raise InputError(
            f"{path}: {pair[1]} is {unknown.iloc[0][:30]!r} in {unknown.size:,} of {len(words):,} reviews; "
            "it must be positive or negative"
        )
    return Reviews(texts.astype(str).tolist(), labels.to_numpy(np.int64))


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pq.read_table(path)
        table.validate(full=True)  # a damaged page may hold text that is none
        return table.to_pandas()
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:  # the latter of pandas' own metadata
        raise InputError(f"{path} is a damaged Parquet file ({str(error)[:100]})") from None
