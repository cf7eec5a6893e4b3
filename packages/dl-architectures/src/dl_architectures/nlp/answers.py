"""What is answered: the events of an answer in progress, and one frozen dataclass for each task's result.

None of the texts in them is safe as HTML or Markdown: they are what a model, or the user, wrote.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A word that may come next."""

    text: str
    """To be appended as it is: it brings its own space in front."""
    probability: float
    """That the model gives to it."""


@dataclass(frozen=True, kw_only=True)
class NextWordAnswer:
    """Words that may come next, the likeliest first."""

    words: tuple[Candidate, ...]


@dataclass(frozen=True, kw_only=True)
class TextAnswer:
    """What a language model wrote: of `Generate` the continuation alone, of `Chat` the assistant's turn."""

    text: str
    tokens: int
    """How many were drawn."""
    seed: int
    """Gives the same text again."""


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What a part of the text did for the label."""

    start: int
    end: int
    """The part is `text[start:end]` of the request."""
    value: float
    """Added to the log-odds of the label; negative where the part speaks against it."""


@dataclass(frozen=True, kw_only=True)
class SentimentAnswer:
    """The sentiment of a text."""

    label: str
    """As the model names it: `positive`, `negative`, `4 stars`, ..."""
    confidence: float
    """The probability of the label."""
    probabilities: tuple[tuple[str, float], ...]
    """Of every label, the likeliest first."""
    weights: tuple[Weight, ...]
    """In the order of the text, without overlap: of words, or of passages where the text is long."""


@dataclass(frozen=True, kw_only=True)
class QuestionAnswer:
    """Where in the context the answer stands, if it does."""

    found: bool
    """False: the text does not tell, as far as the method can see."""
    text: str
    """The answer, `context[start:end]`; the best guess where it was not found, which may be empty."""
    start: int
    end: int
    score: float
    """From 0 to 1; of a hub model a probability, of the classical method a share of what was looked for."""


@dataclass(frozen=True, kw_only=True)
class SummaryAnswer:
    """A summary."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """Where its sentences stand in the text, `text[start:end]`, if they were taken from there; else empty."""
    parts: int
    """In how many parts the text was read."""


@dataclass(frozen=True, kw_only=True)
class PictureAnswer:
    """A picture."""

    png: bytes
    """The file."""
    width: int
    height: int
    seed: int
    """Gives the same picture again."""


Answer = NextWordAnswer | TextAnswer | SentimentAnswer | QuestionAnswer | SummaryAnswer | PictureAnswer


@dataclass(frozen=True, kw_only=True)
class Loading:
    """A model is being fetched or read, or awaited because another session reads it."""

    text: str
    """One line for the person waiting."""
    share: float | None = None
    """Done, from 0 to 1; None where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The next piece of a text that is being written; all pieces together are the answer's text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Working:
    """How far an answer that writes no text has come."""

    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a picture looks like so far."""

    png: bytes
    step: int
    """Done, from 1."""
    steps: int


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The last event."""

    answer: Answer | None
    """None if it was cancelled before there was anything whole to show."""
    model: str
    """Its id."""
    seconds: float
    """That the answer took, without loading the model or waiting for it to be loaded."""
    cancelled: bool = False
    notes: tuple[str, ...] = ()
    """Sentences that the person should know: what of a long text was not read, for instance."""


Event = Loading | Piece | Working | Preview | Finished
