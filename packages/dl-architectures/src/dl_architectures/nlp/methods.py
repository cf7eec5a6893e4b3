"""The models in the package that are no networks."""

from collections.abc import Callable
from pathlib import Path

from dl_architectures.nlp.answers import Answer
from dl_architectures.nlp.classical.questions import answer_question
from dl_architectures.nlp.classical.sentiment import NgramSentiment
from dl_architectures.nlp.classical.summary import summarise
from dl_architectures.nlp.engine import Engine, Outcome, Progress
from dl_architectures.nlp.requests import Question, Request, Sentiment, Summarise
from dl_shared.errors import InputError


class Method(Engine):
    """A classical method, which answers at once.

    Args:
        name: the model's id.
        folder: of the weights for sentiment, which is the only method that has some.
    """

    def __init__(self, name: str, folder: Path | None) -> None:
        self.sentiment = None if folder is None else NgramSentiment.load(folder)
        super().__init__(name, 0 if self.sentiment is None else self.sentiment.weights.nbytes)

    def answer(self, request: Request, cancelled: Callable[[], bool]) -> Progress:
        yield from ()
        return Outcome(answer=self._answer(request))

    def _answer(self, request: Request) -> Answer:
        match request:
            case Sentiment() if self.sentiment is not None:
                return self.sentiment.answer(request.text)
            case Question():
                return answer_question(request.question, request.context)
            case Summarise():
                return summarise(request.text, request.length)
        raise InputError(f"{self.name} is for another task; choose another model")
