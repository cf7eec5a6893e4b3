"""What dl-nlp-tool reads: models of transformers and diffusers, its own of sentiment, and its database."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl_architectures.nlp import catalogue, names
from dl_architectures.nlp.answers import Finished
from dl_architectures.nlp.methods import Method
from dl_architectures.nlp.requests import (
    Chat,
    Message,
    NextWord,
    Picture,
    Question,
    Request,
    Sampling,
    Sentiment,
    Summarise,
)
from dl_architectures.nlp.tool import LocalTool
from dl_architectures.nlp_tool.feedback import Answer, Feedback, FeedbackError, Rating
from dl_shared.errors import InputError
from fuzzing.damage import Files, by_bytes, by_values
from fuzzing.formats import Format, read_files, write_files
from fuzzing.source import Source

sys.path.append(str(Path(__file__).resolve().parents[2] / "packages" / "dl-architectures" / "tests"))
import nlp_tools

TEXT = "The film is good. The actors are wonderful, and the story is dull. A cat sat on the mat."


@dataclass(frozen=True)
class Kind:
    """Of model: what writes a tiny one into a folder, and what it is asked."""

    save: Callable[[Path], Any]
    request: Request


KINDS = {
    "next word": Kind(nlp_tools.save_language_model, NextWord(text="the film is")),
    "chat": Kind(
        nlp_tools.save_language_model,
        Chat(messages=(Message(role="user", content="hello"),), sampling=Sampling(max_tokens=4)),
    ),
    "sentiment": Kind(nlp_tools.save_classifier, Sentiment(text=TEXT)),
    "question": Kind(nlp_tools.save_question_reader, Question(question="Who made the film?", context=TEXT)),
    "summary": Kind(nlp_tools.save_summariser, Summarise(text=TEXT, length="short")),
    "image": Kind(nlp_tools.save_painter, Picture(prompt="a cat", steps=2, seed=0)),
}


def _by_values(files: Files, source: Source) -> Files:
    return by_values(files, source.rng)


def _by_bytes(files: Files, source: Source) -> Files:
    return by_bytes(files, source.rng)


def _ask(path: Path, seed: str) -> Any:
    """A folder of models, and one question."""
    folder = path if path.is_dir() else path.parent
    events = list(LocalTool(roots=[folder]).answer(KINDS[seed].request, model=str(folder)))
    assert isinstance(events[-1], Finished)
    return events[-1].answer


def _own_sentiment(folder: Path) -> None:
    write_files(read_files(catalogue.FOLDERS[names.SENTIMENT_MODEL]), folder)


def _judge(path: Path, seed: str) -> Any:
    engine = Method(names.SENTIMENT_MODEL, path if path.is_dir() else path.parent)
    return list(engine.answer(KINDS["sentiment"].request, lambda: False))


def _database(folder: Path) -> None:
    feedback = Feedback(f"sqlite:///{folder / 'feedback.sqlite3'}")
    for number in range(20):
        answer = Answer(task="chat", model="embedded/language_model", outcome="finished", seconds=0.5)
        feedback.rate(answer, Rating(rating="up", comment=f"good {number}", prompt="a", answer="b"))
    feedback.close()


def _read_database(path: Path, seed: str) -> Any:
    """All that the page of the evaluation reads, and one more rating."""
    feedback = Feedback(f"sqlite:///{path}")
    try:
        found = feedback.answers(), list(feedback.rated())
        feedback.rate(Answer(task="chat", model="a", outcome="finished", seconds=1.0), Rating(rating="down"))
    except FeedbackError as error:
        raise InputError(str(error)) from error
    finally:
        feedback.close()
    return found


FORMATS = [
    *(
        Format(name=f"model: {name}", seeds={name: kind.save}, break_=_by_values, read=_ask)
        for name, kind in KINDS.items()
    ),
    Format(name="model: our sentiment", seeds={"embedded": _own_sentiment}, break_=_by_values, read=_judge),
    Format(name="feedback", seeds={"rated": _database}, break_=_by_bytes, read=_read_database),
]
