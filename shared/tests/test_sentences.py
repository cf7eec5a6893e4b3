"""Sentences of a text: what a reader would call one."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dl_shared.data.sentences import sentence_spans


def sentences(text):
    return [text[start:end] for start, end in sentence_spans(text)]


def test_full_stops_question_and_exclamation_marks_end_sentences():
    assert sentences("It rained. Why? Nobody knows! We went home…  The end") == [
        "It rained.",
        "Why?",
        "Nobody knows!",
        "We went home…",
        "The end",
    ]


def test_abbreviations_initials_and_numbers_do_not():
    assert sentences("Dr. Smith met J. S. Bach at 3.15 in St. Paul. They paid 4.5 million, i.e. too much.") == [
        "Dr. Smith met J. S. Bach at 3.15 in St. Paul.",
        "They paid 4.5 million, i.e. too much.",
    ]


def test_what_goes_on_in_small_letters_is_one_sentence():
    assert sentences('"Stop!" he said. The U.S. army left.') == ['"Stop!" he said.', "The U.S. army left."]


def test_closing_quotes_belong_to_their_sentence():
    assert sentences('She said "no." He left (at last.) Then I. And so on.') == [
        'She said "no."',
        "He left (at last.)",
        "Then I.",
        "And so on.",
    ]


def test_paragraphs_and_items_of_lists_end_sentences():
    assert sentences("A title\n\nA line that\ngoes on\n- one thing\n- another") == [
        "A title",
        "A line that\ngoes on",
        "- one thing",
        "- another",
    ]


def test_nothing_has_no_sentences():
    assert sentences("") == sentences(" \n\t") == []


@given(st.text(alphabet="aB1 .!?\n\"'-)é", max_size=80))
def test_every_character_but_space_is_in_one_sentence(text):
    spans = sentence_spans(text)
    assert all(start < end for start, end in spans)
    assert all(end <= later for (_, end), (later, _) in itertools.pairwise(spans))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
