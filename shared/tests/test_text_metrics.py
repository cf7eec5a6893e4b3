"""Text scores against numbers worked by hand, and the copy detector against plain substring search."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dl_shared.metrics.text import (
    bleu,
    character_scores,
    copied,
    distinct_n,
    known_word_share,
    likelihood_scores,
    longest_matches,
    words,
    writing_scores,
)


def test_likelihood_by_hand():
    scores = likelihood_scores(8 * math.log(2), 4)
    assert scores["bits_per_character"] == pytest.approx(2)
    assert scores["perplexity"] == pytest.approx(4)
    with pytest.raises(ValueError, match="at least one character"):
        likelihood_scores(0.0, 0)


def test_character_scores_come_from_sums_and_their_interval_from_blocks():
    rng = np.random.default_rng(0)
    passages = np.repeat(rng.exponential(1, 100), 500)  # whole passages are hard or easy
    scores = character_scores(passages)
    assert scores["loss"] == pytest.approx(passages.mean())
    low, high = scores["loss_ci"]
    assert low < passages.mean() < high
    independent = passages.std() / math.sqrt(len(passages))
    assert high - low > 10 * independent  # an interval over single characters would be 22 times too narrow
    assert scores["perplexity_ci"] == pytest.approx([math.exp(low), math.exp(high)])
    with pytest.raises(ValueError, match="finite"):
        character_scores(np.array([1.0, np.nan]))


def test_bleu():
    text = "the cat sat on the mat"
    assert bleu([text], [text]) == pytest.approx(100)
    assert bleu(["the cat"], ["the cat"]) == pytest.approx(100)  # too short for 4-grams
    assert bleu(["a dog ran in a park"], [text]) < 5
    with pytest.raises(ValueError, match="one reference"):
        bleu([text], [])


def test_words_and_distinct():
    assert words("Th' o'er-weening King’s 3 men_go!") == ["th", "o'er", "weening", "king's", "men", "go"]
    assert distinct_n(["a a b", "a b"], 1) == pytest.approx(2 / 5)
    assert distinct_n(["a a b", "a b"], 2) == pytest.approx(2 / 3)  # no bigram across the texts
    assert distinct_n([""], 2) == 0
    assert known_word_share("The cat zorks", {"the", "cat"}) == pytest.approx(2 / 3)


@given(st.text("ab \n", max_size=30), st.text("ab \n", max_size=60))
def test_matches_equal_a_search_for_every_run(text, source):
    expected = [
        max(length for length in range(len(text) - i + 1) if text[i : i + length] in source) for i in range(len(text))
    ]
    assert longest_matches(text, source).tolist() == expected


def test_copied_characters():
    matches = longest_matches("xxabcdexx", "..abcde..")
    assert matches.tolist() == [0, 0, 5, 4, 3, 2, 1, 0, 0]
    assert copied(matches, 4).tolist() == [False, False, *[True] * 5, False, False]
    assert not copied(matches, 6).any()


def test_writing_scores():
    training = "".join(f"line {chr(97 + i % 26)} of the play goes on and on; " for i in range(60))
    stolen, own = training[100:160], "qwerty uiop"
    scores = writing_scores([stolen, own], training)
    assert scores["longest_copy"] == 60
    assert scores["copied"] == pytest.approx(60 / 71)
    assert 0 < scores["known_words"] < 1
    with pytest.raises(ValueError, match="no generated text"):
        writing_scores(["", ""], training)
