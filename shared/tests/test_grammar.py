"""The sample grammar: exact entropy, one derivation a line, and hard for n-grams."""

import math
from collections import Counter

import numpy as np
import pytest

from dl_shared.baselines.ngram import KneserNey
from dl_shared.data.corpus import Vocabulary
from dl_shared.sample.grammar import Grammar, Rule, dialogue, make_text


def test_entropy_by_hand():
    """a^n b, each a with chance 1/4: geometric, and its entropy per line is H(1/4) / (3/4)."""
    grammar = Grammar({"LINE": [Rule(1 / 4, "a", ("LINE",)), Rule(3 / 4, "b\n")]})
    h = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert grammar.nats_per_line == pytest.approx(h / 0.75)
    assert grammar.characters_per_line == pytest.approx(2 + 1 / 3)
    assert grammar.nats("aab\n") == pytest.approx(-math.log(3 / 64))
    assert grammar.accepts("ab")
    assert not grammar.accepts("aba\n")
    assert not grammar.accepts("aa")


def test_entropy_of_the_sample_is_what_its_lines_cost():
    grammar, lines = dialogue(), make_text(20_000, seed=3)
    nats = np.array([grammar.nats(line) for line in lines])
    lengths = np.array([len(line) for line in lines])
    error = (nats - grammar.entropy * lengths).std() / math.sqrt(len(lines)) / lengths.mean()
    assert nats.sum() / lengths.sum() == pytest.approx(grammar.entropy, abs=4 * error)
    assert lengths.mean() == pytest.approx(grammar.characters_per_line, rel=0.03)


def test_probabilities_of_lines_are_their_frequencies():
    lines = Counter(make_text(60_000, seed=0))
    grammar = dialogue()
    common = [line for line in lines if grammar.nats(line) < 6.8]
    assert len(common) > 100
    expected = sum(math.exp(-grammar.nats(line)) for line in common)
    assert sum(lines[line] for line in common) / 60_000 == pytest.approx(expected, rel=0.03)


def test_accepts_its_own_lines_and_not_their_corruptions():
    grammar = dialogue()
    lines = make_text(200, seed=1)
    assert all(grammar.accepts(line) for line in lines)
    assert grammar.accepts("ALDA: the fox whom the crows boldly sing idly hunts at dawn")
    for wrong in (
        "ALDA: the fox whom the crows boldly sing idly hunt at dawn",  # number of the outer verb
        "ALDA: the fox whom the crows boldly hunt idly sings at dawn",  # verbs in the wrong order
        "ALDA: the fox calmly hunts at dawn",  # another speaker's adverb
        "ALDA: the fox boldly hunts by night",  # another speaker's close
        "ALDA: the fox boldly hunts at dawn\nALDA: the fox boldly hunts at dawn",
        "",
    ):
        assert not grammar.accepts(wrong)


def test_deterministic_in_the_seed():
    assert make_text(5, seed=7) == make_text(9, seed=7)[:5]
    assert make_text(5, seed=7) != make_text(5, seed=8)
    with pytest.raises(ValueError, match="at least one"):
        make_text(0, seed=0)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"LINE": [Rule(0.5, "a")]}, "do not sum to one"),
        ({"LINE": [Rule(1.0, "a", ("X",))]}, "X, which has no rules"),
        ({"LINE": [Rule(1.0, "")]}, "begins with no text"),
        ({"LINE": [Rule(0.5, "ab"), Rule(0.5, "a")]}, "begin alike"),
        ({"LINE": [Rule(0.5, "a", ("LINE", "LINE")), Rule(0.5, "b")]}, "not finite"),
    ],
)
def test_refuses_a_grammar_without_a_known_entropy(rules, message):
    with pytest.raises(ValueError, match=message):
        Grammar(rules)


def test_ngrams_stay_far_above_the_entropy():
    lines = make_text(4000, seed=0)
    train, test = "".join(lines[:3600]), "".join(lines[3600:])
    vocab = Vocabulary.of(train)
    loss = KneserNey(vocab.encode(train), len(vocab), 8).nats(vocab.encode(test)).mean()
    assert loss > 2 * dialogue().entropy
