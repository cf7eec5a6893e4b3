"""What may be asked of the tasks, and what is refused with which words."""

import pytest

from dl_architectures.nlp import names
from dl_architectures.nlp.requests import (
    Chat,
    Generate,
    Message,
    NextWord,
    Picture,
    Question,
    Request,
    Sampling,
    Sentiment,
    Summarise,
)
from dl_shared.errors import InputError


def test_there_is_one_request_for_each_task():
    assert [kind.task for kind in Request.__args__] == list(names.TASKS) == list(names.TITLES) == list(names.EMBEDDED)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NextWord(text=" \n"), "the text is empty"),
        (lambda: NextWord(text="a", count=51), "the number of words must be a whole number from 1 to 50, got 51"),
        (lambda: Generate(text="x" * 20_001), "the text has 20,001 characters; at most 20,000 are taken"),
        (lambda: Generate(text="a \ud83d b"), r"the text holds half a character \(at position 3\); type it anew"),
        (lambda: Sampling(max_tokens=0), "the length must be a whole number from 1 to 2,000, got 0"),
        (lambda: Sampling(max_tokens=True), "the length must be a whole number"),
        (lambda: Sampling(temperature=float("nan")), "the temperature must be from 0 to 2, got nan"),
        (lambda: Sampling(top_p=0.0), "top-p must be from 0.01 to 1, got 0.0"),
        (lambda: Sampling(seed=-1), "the seed must be a whole number from 0 to"),
        (lambda: Message(role="user", content=""), "the message is empty"),
        (lambda: Chat(messages=()), "ends with a message of the user"),
        (lambda: Chat(messages=(Message(role="assistant", content="Hello"),)), "ends with a message of the user"),
        (lambda: Chat(messages=(Message(role="user", content="Hi"),) * 401), "at most 400 messages; start a new one"),
        (lambda: Sentiment(text=""), "the text is empty"),
        (lambda: Question(question=" ", context="Some."), "the question is empty"),
        (lambda: Question(question="Who?", context=""), "the text to search is empty"),
        (lambda: Summarise(text="\t"), "the text is empty"),
        (lambda: Picture(prompt=""), "the prompt is empty"),
        (lambda: Picture(prompt="a cat", steps=101), "the number of steps must be a whole number from 1 to 100"),
        (lambda: Picture(prompt="a cat", guidance=20.5), "the guidance must be from 0 to 20, got 20.5"),
        (lambda: Picture(prompt="a cat", size=4096), "the size must be a whole number from 16 to 1,024, got 4096"),
        (lambda: Picture(prompt="a cat", size=33), "the size must be a multiple of 8, got 33"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_one_sentence(make, message):
    with pytest.raises(InputError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_an_assistant_stopped_before_its_first_word_stays_in_the_conversation():
    messages = (Message(role="user", content="Hi"), Message(role="assistant", content=""))
    assert Chat(messages=(*messages, Message(role="user", content="Again?"))).messages[:2] == messages
