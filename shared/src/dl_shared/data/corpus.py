"""Text corpora: files in, integers of characters out."""

import codecs
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int

from dl_shared.data.download import DownloadError, download
from dl_shared.errors import InputError
from dl_shared.files import cache_dir

SHAKESPEARE_URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHAKESPEARE_MD5 = "6fb458f1232090904fb40fe944165e91"
MINIMUM = 1000  # characters; with fewer, the parts of the split mean nothing
UNKNOWN = "\N{REPLACEMENT CHARACTER}"

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Vocabulary:
    """Characters and their integers; 0 is every character that is not in the vocabulary."""

    characters: str
    """The known characters, each once, sorted; character i has the integer i + 1."""

    def __post_init__(self) -> None:
        if "".join(sorted(set(self.characters))) != self.characters:
            raise ValueError("the characters of a vocabulary must be sorted and each occur once")

    @classmethod
    def of(cls, text: str) -> "Vocabulary":
        """The vocabulary of a text; the replacement character stands for unknown ones and is never part of it."""
        return cls("".join(sorted(set(text) - {UNKNOWN})))

    def __len__(self) -> int:
        """Known characters and the unknown one."""
        return len(self.characters) + 1

    @cached_property
    def _codes(self) -> Int[np.ndarray, " known"]:
        return _code_points(self.characters)

    def encode(self, text: str) -> Int[np.ndarray, " characters"]:
        """Integers int32, one a character."""
        codes = _code_points(text)
        if not self.characters:
            return np.zeros(len(codes), np.int32)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        return np.where(self._codes[place] == codes, place + 1, 0).astype(np.int32)

    def decode(self, ids: Int[np.ndarray, " characters"]) -> str:
        """The text of integers; 0 becomes the replacement character.

        Raises:
            ValueError: on an integer outside the vocabulary.
        """
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(self):
            raise ValueError(f"ids must lie in [0, {len(self)}), got {ids.min()} to {ids.max()}")
        table = np.concatenate([_code_points(UNKNOWN), self._codes])
        return table[ids].astype("<u4").tobytes().decode("utf-32-le")


def _code_points(text: str) -> Int[np.ndarray, " characters"]:
    return np.frombuffer(text.encode("utf-32-le"), "<u4").astype(np.int64)


def read_text(path: Path) -> str:
    """The text of one file, with line ends as `\\n`.

    UTF-8, with or without a byte order mark, and UTF-16 with one. Other encodings cannot be told apart with certainty,
    so they are refused rather than guessed.

    Raises:
        InputError: if the file is missing, empty, binary, or in another encoding.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    encoding = next((name for bom, name in _BOMS.items() if raw.startswith(bom)), "utf-8")
    if encoding != "utf-16" and b"\0" in raw:
        raise InputError(f"{path} is a binary file; give plain text")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        bad = f"byte 0x{raw[error.start]:02x} at {error.start:,}" if error.start < len(raw) else "it ends too early"
        raise InputError(
            f"{path} is not {error.encoding.upper()} ({bad}); save it as UTF-8, for instance with"
            f" iconv -f latin1 -t utf-8"
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise InputError(f"{path} is empty; give a file with text")
    return text


def read_corpus(path: Path) -> str:
    """The text of a file, or of all `.txt` files in a folder and its subfolders, in the order of their names.

    Raises:
        InputError: if there is no text, less of it than 1,000 characters, or a file that cannot be used.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() == ".txt" and file.is_file())
        if not files:
            raise InputError(f"{path} has no .txt file; give a text file, or a folder of .txt files")
        text = "\n".join(read_text(file).rstrip("\n") + "\n" for file in files)
    else:
        text = read_text(path)
    if len(text) < MINIMUM:
        raise InputError(f"{path} has {len(text):,} characters; a corpus needs at least {MINIMUM:,}")
    return text


def download_shakespeare() -> Path:
    """Tiny Shakespeare (Karpathy 2015): 40,000 lines of the plays, fetched once into the cache.

    Raises:
        InputError: if it cannot be fetched.
    """
    target = cache_dir() / "corpora" / "tiny-shakespeare.txt"
    try:
        return download(SHAKESPEARE_URL, target, md5=SHAKESPEARE_MD5)
    except DownloadError as error:
        raise InputError(f"{error}; use --data sample, or --data with the path of a text file") from None


def split_text(text: str, validation_share: float = 0.05, test_share: float = 0.1) -> tuple[str, str, str]:
    """Train, validation and test as contiguous parts: the test text is the last, the validation text stands before it.

    Raises:
        ValueError: if the shares leave nothing to train on.
    """
    if min(validation_share, test_share) <= 0 or validation_share + test_share >= 1:
        raise ValueError(f"shares must be positive and sum to less than 1, got {validation_share} and {test_share}")
    first_test = int(len(text) * (1 - test_share))
    first_validation = int(len(text) * (1 - test_share - validation_share))
    return text[:first_validation], text[first_validation:first_test], text[first_test:]
