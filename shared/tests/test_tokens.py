"""Texts of different lengths: what is cut by hand, padded by hand, and every text in one batch exactly; the cache."""

import numpy as np
import pytest

from dl_shared.data.token_cache import cached_tokens
from dl_shared.data.tokens import Tokens, kept_positions, length_batches, pad, padding_share, sorted_batches, truncate
from dl_shared.files import cache_dir

TEXTS = Tokens.of([[11, 12, 13], [], [21, 22, 23, 24, 25, 26, 27, 28, 29, 30], [31]])


def test_what_stays_of_a_long_text_by_hand():
    assert kept_positions(10, 8, "head").tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    assert kept_positions(10, 8, "head-tail").tolist() == [0, 1, 4, 5, 6, 7, 8, 9]
    assert kept_positions(10, 7, "head-tail").tolist() == [0, 4, 5, 6, 7, 8, 9]
    assert kept_positions(8, 8, "head-tail").tolist() == list(range(8))
    assert kept_positions(0, 8, "head").tolist() == []


def test_texts_are_cut_and_wrapped_by_hand():
    cut = truncate(TEXTS, 6, "head-tail", before=[1], after=[2])
    assert [cut[i].tolist() for i in range(4)] == [[1, 11, 12, 13, 2], [1, 2], [1, 21, 28, 29, 30, 2], [1, 31, 2]]
    assert truncate(TEXTS, 6, "head", before=[1], after=[2])[2].tolist() == [1, 21, 22, 23, 24, 2]
    assert cut.lengths.tolist() == [5, 2, 6, 3]
    with pytest.raises(ValueError, match="no room"):
        truncate(TEXTS, 2, "head", before=[1], after=[2])


def test_padding_by_hand():
    ids, mask = pad(TEXTS, np.array([3, 0]), pad_id=9)
    assert ids.tolist() == [[31, 9, 9], [11, 12, 13]]
    assert mask.tolist() == [[True, False, False], [True, True, True]]
    wide, _ = pad(TEXTS, np.array([1]), pad_id=9, length=2)
    assert wide.tolist() == [[9, 9]]


def test_batches_by_length_by_hand():
    lengths = np.array([7, 1, 5, 2, 6, 3])
    batches = length_batches(lengths, 2, np.random.default_rng(0), pool=3)
    assert sorted(sorted(lengths[batch].tolist()) for batch in batches) == [[1, 2], [3, 5], [6, 7]]
    assert padding_share(lengths, batches) == pytest.approx(1 - 24 / 28)


@pytest.mark.parametrize(("count", "size", "pool"), [(97, 8, 4), (8, 8, 1), (5, 8, 2), (64, 4, 100)])
def test_every_text_is_in_one_batch_and_at_most_one_batch_is_small(count, size, pool):
    lengths = np.random.default_rng(1).integers(0, 300, count)
    batches = length_batches(lengths, size, np.random.default_rng(2), pool=pool)
    assert sorted(np.concatenate(batches).tolist()) == list(range(count))
    assert sum(len(batch) < size for batch in batches) == (count % size > 0)
    again = length_batches(lengths, size, np.random.default_rng(2), pool=pool)
    assert all(np.array_equal(one, other) for one, other in zip(batches, again, strict=True))


def test_batches_by_length_pad_little():
    lengths = np.random.default_rng(0).gamma(2.0, 110.0, 5000).astype(int).clip(5, 256)
    shuffled = np.array_split(np.random.default_rng(1).permutation(5000), 5000 // 25)
    grouped = length_batches(lengths, 25, np.random.default_rng(1))
    assert padding_share(lengths, grouped) < 0.05 < 0.25 < padding_share(lengths, shuffled)


def test_sorted_batches_begin_with_the_longest():
    assert [batch.tolist() for batch in sorted_batches(np.array([3, 9, 1, 9]), 3)] == [[1, 3, 0], [2]]


class Counting:
    """A tokenizer of letters that counts its calls."""

    calls = 0

    def __call__(self, texts):
        self.calls += 1
        return [[ord(letter) - 97 for letter in text] for text in texts]


TEXT_LIST = ["abc", "", "zz"]


def stored():
    return sorted((cache_dir() / "tokens").glob("*.arrow"), key=lambda path: path.stat().st_mtime)[-1]


def read(tokenize, key="letters"):
    tokens = cached_tokens(TEXT_LIST, tokenize, key)
    assert [tokens[i].tolist() for i in range(3)] == [[0, 1, 2], [], [25, 25]]


def test_texts_are_tokenised_once():
    tokenize = Counting()
    read(tokenize, "once")
    read(tokenize, "once")
    assert tokenize.calls == 1
    read(tokenize, "another tokenizer")
    assert tokenize.calls == 2


IDS, OTHER_IDS = (np.array([0, 1, 2, 25, last], np.int32).tobytes() for last in (25, 24))
OFFSETS, FAR = (np.array([0, 3, 3, last], np.int32).tobytes() for last in (5, 2**30))


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: raw[:-200],
        lambda raw: b"",
        lambda raw: raw.replace(IDS, OTHER_IDS),
        lambda raw: raw.replace(OFFSETS, FAR),
    ],
    ids=["cut short", "emptied", "another id", "offsets far outside"],
)
def test_a_damaged_cache_is_made_again(damage, request):
    tokenize = Counting()
    read(tokenize, request.node.name)
    raw = stored().read_bytes()
    assert damage(raw) != raw
    stored().write_bytes(damage(raw))
    read(tokenize, request.node.name)
    assert tokenize.calls == 2


def test_a_cache_whose_writer_was_killed_before_it_had_finished_is_made_again():
    tokenize = Counting()
    read(tokenize, "killed")
    stored().with_suffix(".crc32").unlink()
    read(tokenize, "killed")
    read(tokenize, "killed")
    assert tokenize.calls == 2


def test_no_texts_at_all():
    assert len(cached_tokens([], Counting(), "none")) == 0
