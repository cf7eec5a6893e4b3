"""Text files in, integers out; and what is refused."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_shared.data import corpus
from dl_shared.data.corpus import Vocabulary, read_corpus, read_text, split_text
from dl_shared.data.download import DownloadError
from dl_shared.errors import InputError


@given(st.text(max_size=200).filter(lambda text: "\ufffd" not in text and text.isprintable()))
def test_encoding_and_back(text):
    vocab = Vocabulary.of(text)
    ids = vocab.encode(text)
    assert ids.dtype == np.int32
    assert vocab.decode(ids) == text
    assert len(ids) == len(text)
    assert (ids > 0).all()


def test_unknown_characters_are_zero():
    vocab = Vocabulary.of("abca")
    assert len(vocab) == 4
    assert vocab.encode("cxaé😀").tolist() == [3, 0, 1, 0, 0]
    assert vocab.decode(np.array([3, 0, 1])) == "c\ufffda"
    with pytest.raises(ValueError, match=r"\[0, 4\)"):
        vocab.decode(np.array([4]))
    with pytest.raises(ValueError, match="sorted"):
        Vocabulary("ba")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_reads_unicode_with_and_without_a_mark(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("Größe\r\nund mehr\r".encode(encoding))
    assert read_text(tmp_path / "a.txt") == "Größe\nund mehr\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        ("Größe".encode("latin-1"), r"is not UTF-8 \(byte 0xf6 at 2\); save it as UTF-8"),
        (b"\xff\xfea", "is not UTF-16"),
        (b"\x89PNG\0\0", "is a binary file"),
    ],
)
def test_refuses_what_is_no_text(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_text(path)
    assert "\n" not in str(caught.value)


def test_corpus_from_a_folder_is_in_order_of_names(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "b.txt").write_text("b" * 600 + "\n")
    (tmp_path / "a.TXT").write_text("a" * 600)
    (tmp_path / "more" / "c.txt").write_text("c" * 600)
    (tmp_path / "notes.md").write_text("not read")
    assert read_corpus(tmp_path) == "a" * 600 + "\n\n" + "b" * 600 + "\n\n" + "c" * 600 + "\n"


def test_refuses_missing_short_and_empty(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_corpus(tmp_path / "none.txt")
    with pytest.raises(InputError, match=r"no \.txt file"):
        read_corpus(tmp_path)
    (tmp_path / "short.txt").write_text("x" * 999)
    with pytest.raises(InputError, match="999 characters; a corpus needs at least 1,000"):
        read_corpus(tmp_path / "short.txt")


def test_split_is_contiguous_and_ends_with_the_test_text():
    text = "".join(chr(97 + i % 26) for i in range(1000))
    parts = split_text(text)
    assert "".join(parts) == text
    assert [len(part) for part in parts] == [850, 50, 100]
    with pytest.raises(ValueError, match="shares"):
        split_text(text, 0.5, 0.5)


def test_without_network_the_other_choices_are_named(monkeypatch):
    def refuse(url, target, *, md5):
        raise DownloadError(f"{url} cannot be fetched: no connection")

    monkeypatch.setattr(corpus, "download", refuse)
    with pytest.raises(InputError, match=r"cannot be fetched: .*; use --data sample, or --data with the path"):
        corpus.download_shakespeare()


@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="needs the real data")
def test_the_real_corpus():
    text = read_corpus(Path(os.environ["DL_TEST_DATA"]) / "shakespeare" / "input.txt")
    assert len(text) == 1_115_394
    assert hashlib.md5(text.encode()).hexdigest() == corpus.SHAKESPEARE_MD5
    assert len(Vocabulary.of(text)) == 66
