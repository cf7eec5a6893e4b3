"""Requests and answers in words: what the feedback keeps of them, and what a conversation is saved as."""

import json
from collections.abc import Sequence

from dl_architectures.nlp import answers, requests


def in_words(asked: requests.Request) -> str:
    """What was asked, as one text."""
    match asked:
        case requests.Chat(messages=messages):
            return messages[-1].content
        case requests.Question(question=question, context=context):
            return f"{question}\n\n{context}"
        case requests.Picture(prompt=prompt):
            return prompt
        case _:
            return asked.text


def answer_in_words(answer: answers.Answer | None, written: str = "") -> str:
    """What was answered, as one text.

    Args:
        answer: None if it did not come to one.
        written: the pieces of text that came.
    """
    match answer:
        case None:
            return written
        case answers.NextWordAnswer(words=words):
            return ", ".join(f"{word.text.strip()} {word.probability:.3f}" for word in words)
        case answers.SentimentAnswer(label=label, confidence=confidence):
            return f"{label} {confidence:.3f}"
        case answers.QuestionAnswer(found=False):
            return "not in the text"
        case answers.PictureAnswer(width=width, height=height, seed=seed):
            return f"a picture of {width} x {height} pixels, seed {seed}"
        case _:
            return answer.text


def conversation(system: str, messages: Sequence[requests.Message]) -> str:
    """A conversation as JSON, in the layout that chat models and their trainers take."""
    told = [{"role": "system", "content": system}] if system else []
    spoken = [{"role": message.role, "content": message.content} for message in messages]
    return json.dumps({"messages": told + spoken}, ensure_ascii=False, indent=2) + "\n"
