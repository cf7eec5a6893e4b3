"""The models in the package that are no networks."""

from collections.abc import Callable
from pathlib import Path

from dl_architectures.nlp.answers import Answer
from dl_architectures.nlp.engine import Engine, Outcome, Progress
from dl_architectures.nlp.requests import Question, Request, Sentiment, Summarise
from dl_shared.errors import InputError


class Method(Engine):
    """Something that answers at once.

    Args:
        name: the model's id.
        bytes: that it takes.
        function: of the request.
    """

    def __init__(self, name: str, bytes: int, function: Callable[[Request], Answer]) -> None:
        super().__init__(name, bytes)
        self.function = function

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        yield from ()
        return Outcome(answer=self.function(request))


def method(name: str, folder: Path | None) -> Method:
    """The method of this name.

    Args:
        name: the model's id.
        folder: of its weights, if it has any.
    """
    from dl_architectures.nlp.classical.questions import answer_question
    from dl_architectures.nlp.classical.sentiment import NgramSentiment
    from dl_architectures.nlp.classical.summary import summarise

    sentiment = None if folder is None else NgramSentiment.load(folder)

    def answer(request: Request) -> Answer:
        match request:
            case Sentiment() if sentiment is not None:
                return sentiment.answer(request.text)
            case Question():
                return answer_question(request.question, request.context)
            case Summarise():
                return summarise(request.text, request.length)
        raise InputError(f"{name} is for another task; choose another model")

    return Method(name, 0 if sentiment is None else sentiment.weights.nbytes, answer)
