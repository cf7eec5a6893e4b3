"""Reviews that a user gives to be judged: read, and answered with a row for each."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.data.corpus import read_text
from dl_shared.data.reviews import CLASSES, clean
from dl_shared.errors import InputError
from dl_shared.tasks.options import JudgeReviews

SHOWN = 60  # letters of a review, in a row of the answer
Judge = Callable[[Sequence[str]], Float[np.ndarray, "reviews 2"]]


def judge(
    given: Sequence[tuple[str, str]], texts: Sequence[str], judged: Judge, unread: Callable[[str], int]
) -> list[dict[str, Any]]:
    """One row for each review: its class, how sure that is, and how many of its tokens were not read.

    Args:
        given: a name to show, and the text, as `read_given` returns them.
        texts: the same reviews, cleaned as those that the model has learned from.
        judged: probabilities of negative and positive.
        unread: of a text, how many tokens the model does not read because it is too long.
    """
    return [
        {
            "review": name,
            "predicted": CLASSES[int(row.argmax())],
            "confidence": float(row.max()),
            **{f"p({label})": float(value) for label, value in zip(CLASSES, row, strict=True)},
            "unread": unread(text),
        }
        for (name, _), text, row in zip(given, texts, judged(texts), strict=True)
    ]


def read_given(options: JudgeReviews) -> list[tuple[str, str]]:
    """What the user gave, arguments first, then files: a name to show, and the text.

    Raises:
        InputError: naming the review that is empty, or the file that cannot be read.
    """
    given: list[tuple[str, str]] = []
    for review in options.reviews:
        if review == "-":
            given += [(_shortened(line), line) for line in _lines_of_stdin()]
        else:
            given.append((_shortened(review), os.fsencode(review).decode("utf-8", "replace")))
    given += [(str(file), read_text(file)) for file in options.files]
    for number, (name, text) in enumerate(given, start=1):
        if not clean(text):
            raise InputError(f"review {number} ({name or 'no letters'}) is empty; leave it out")
    return given


def _lines_of_stdin() -> list[str]:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")  # as bytes, because a locale may let anything pass
    except UnicodeDecodeError as error:
        raise InputError(f"stdin is not UTF-8 (byte 0x{error.object[error.start]:02x}); convert it first") from None
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("stdin has no review; give one in each line")
    return lines


def _shortened(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 3] + "..."
