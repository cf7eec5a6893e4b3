"""Spans, parts and turns against cases worked by hand."""

import threading

import nlp_tools
import pytest
import torch

from dl_architectures.nlp.background import followed
from dl_architectures.nlp.questioning import best_span
from dl_architectures.nlp.spans import groups, parts
from dl_architectures.nlp.summarising import greedy
from dl_architectures.nlp.turns import Turns


def test_the_best_span_is_inside_the_text_and_runs_forward():
    # Token 0 stands for no answer, 1 and 2 are of the question. The best start, 6, is after the best end, 4.
    starts = torch.tensor([1.0, 9.0, 9.0, 2.0, 0.0, 0.0, 3.0])
    ends = torch.tensor([1.0, 9.0, 9.0, 0.0, 4.0, 0.0, 1.0])
    inside = torch.tensor([False, False, False, True, True, True, True])
    margin, probability, first, last = best_span(starts, ends, inside)
    assert (first, last) == (3, 4)
    assert margin == pytest.approx(2.0 + 4.0 - 1.0 - 1.0)
    kept = torch.tensor([True, False, False, True, True, True, True])
    expected = starts[kept].softmax(0)[1] * ends[kept].softmax(0)[2]
    assert probability == pytest.approx(float(expected))


def test_no_answer_wins_where_the_first_token_scores_more():
    inside = torch.tensor([False, True, True])
    margin, *_ = best_span(torch.tensor([5.0, 1.0, 0.0]), torch.tensor([5.0, 0.0, 1.0]), inside)
    assert margin == pytest.approx(-8.0)


def test_a_summary_neither_ends_too_early_nor_repeats_three_tokens():
    pick = greedy(frozenset({9}), least=3)
    liking_the_end = torch.zeros(10)
    liking_the_end[9], liking_the_end[4] = 2.0, 1.0
    assert pick(torch.tensor([1, 2]), liking_the_end) == 4
    assert pick(torch.tensor([1, 2, 3]), liking_the_end) == 9
    liking_three = torch.zeros(10)
    liking_three[3], liking_three[5] = 2.0, 1.0
    assert pick(torch.tensor([1, 2, 7, 1, 2]), liking_three) == 3
    assert pick(torch.tensor([1, 2, 3, 1, 2]), liking_three) == 5


def test_parts_hold_the_whole_text_and_end_with_sentences():
    tokenizer = nlp_tools.byte_tokenizer()
    text = "The dog ran. It was wonderful, said Ann. The cat slept on the mat. Was the film good? It was."
    cut = parts(text, tokenizer, 24, whole_sentences=True)
    shown = [text[start:end].strip() for (start, end), _ in cut]
    assert " ".join(shown) == text
    assert all(part.endswith((".", "?")) for part in shown)
    assert all(tokens <= 24 for _, tokens in cut)
    assert [len(tokenizer(text[start:end]).input_ids) for (start, end), _ in cut] == [tokens for _, tokens in cut]
    without_sentences = parts("dog" * 40, tokenizer, 24, whole_sentences=True)
    assert "".join(("dog" * 40)[start:end] for (start, end), _ in without_sentences) == "dog" * 40


def test_words_are_grouped_into_passages_of_equal_size():
    text = "one two  three four five"
    assert [text[slice(*span)] for span in groups(text, (0, len(text)), 9)] == text.split()
    assert [text[slice(*span)] for span in groups(text, (0, len(text)), 3)] == ["one two", "three four", "five"]
    assert groups(text, (7, 9), 3) == []


def test_turns_go_to_whoever_has_waited_longest():
    turns, order = Turns(), []
    waiting = [threading.Event() for _ in range(3)]

    def take(n):
        waiting[n].set()
        with turns:
            order.append(n)

    with turns:
        threads = []
        for n in range(3):
            threads.append(threading.Thread(target=take, args=(n,)))
            threads[-1].start()
            waiting[n].wait()
            while len(turns._waiting) <= n:
                pass
        turns.pass_on()  # all who waited have had theirs when it comes back
        assert order == [0, 1, 2]
    for thread in threads:
        thread.join()


def test_work_that_is_not_followed_any_more_ends():
    ended = threading.Event()

    def work(tell):
        try:
            n = 0
            while True:
                tell(n)
                n += 1
        finally:
            ended.set()

    events = followed(work, lambda: False)
    assert [next(events), next(events)] == [0, 1]
    events.close()
    assert ended.wait(10)


def test_what_the_work_raises_is_raised():
    def work(tell):
        tell("one")
        raise ZeroDivisionError("in the work")

    events = followed(work, lambda: False)
    assert next(events) == "one"
    with pytest.raises(ZeroDivisionError, match="in the work"):
        next(events)
