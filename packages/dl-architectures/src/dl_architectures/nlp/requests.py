"""What may be asked: one frozen dataclass for each task, checked where it is made.

Bounds on lengths are in characters, and keep a request from filling the memory; whether a text fits the model that was
chosen is known only to its tokenizer, and is checked when it is answered. Every check raises `InputError`, a
`ValueError` of one sentence.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

from dl_architectures.nlp import names
from dl_architectures.nlp.names import Role, SummaryLength, Task
from dl_shared.errors import InputError


def check_text(text: str, what: str, longest: int, *, empty: bool = False) -> None:
    """Refuse a text that is empty, too long, or that no tokenizer can take.

    Args:
        text: as typed.
        what: it is, for the message.
        longest: in characters.
        empty: whether it may be.

    Raises:
        InputError: saying what is wrong.
    """
    if not empty and not text.strip():
        raise InputError(f"{what} is empty")
    if len(text) > longest:
        raise InputError(f"{what} has {len(text):,} characters; at most {longest:,} are taken")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{what} holds half a character (at position {error.start + 1}); type it anew") from None


def check_int(value: int, what: str, least: int, most: int) -> None:
    """Refuse what is not a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InputError(f"{what} must be a whole number from {least} to {most:,}, got {value!r}")


def check_float(value: float, what: str, least: float, most: float) -> None:
    """Refuse what is not a finite number from `least` to `most`."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not least <= value <= most:
        raise InputError(f"{what} must be from {least:g} to {most:g}, got {value!r}")


def check_seed(seed: int | None) -> None:
    """Refuse what is neither None nor a seed."""
    if seed is not None:
        check_int(seed, "the seed", 0, names.MAX_SEED)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        # The assistant may have been stopped before its first word.
        check_text(self.content, "the message", names.MAX_TEXT, empty=self.role == "assistant")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are drawn."""

    max_tokens: int = 120
    """At most so many new tokens; fewer where the model has no room for more."""
    temperature: float = 0.8
    """Of the softmax; 0 always takes the likeliest token."""
    top_p: float = 0.95
    """Draw from the smallest set of tokens that is as probable as this (Holtzman et al. 2020); 1 leaves none out."""
    seed: int | None = None
    """Of the draws; None takes a new one, which the answer tells."""

    def __post_init__(self) -> None:
        check_int(self.max_tokens, "the length", 1, names.MAX_TOKENS)
        check_float(self.temperature, "the temperature", 0.0, names.MAX_TEMPERATURE)
        check_float(self.top_p, "top-p", 0.01, 1.0)
        check_seed(self.seed)


@dataclass(frozen=True, kw_only=True)
class NextWord:
    """Which words may come next, and how probable each is."""

    task: ClassVar[Task] = "next-word"
    text: str
    count: int = 10
    """How many words to tell."""

    def __post_init__(self) -> None:
        check_text(self.text, "the text", names.MAX_TEXT)
        check_int(self.count, "the number of words", 1, names.MAX_WORDS)


@dataclass(frozen=True, kw_only=True)
class Generate:
    """Continue a text."""

    task: ClassVar[Task] = "generate"
    text: str
    sampling: Sampling = Sampling()

    def __post_init__(self) -> None:
        check_text(self.text, "the text", names.MAX_TEXT)


@dataclass(frozen=True, kw_only=True)
class Chat:
    """The next turn of a conversation, whose last message is the user's."""

    task: ClassVar[Task] = "chat"
    messages: tuple[Message, ...]
    system: str = ""
    """What the assistant is told before the conversation; may be empty."""
    sampling: Sampling = Sampling()

    def __post_init__(self) -> None:
        check_text(self.system, "the system prompt", names.MAX_TEXT, empty=True)
        if not self.messages or self.messages[-1].role != "user":
            raise InputError("a conversation that is to be continued ends with a message of the user")
        if len(self.messages) > names.MAX_MESSAGES:
            raise InputError(f"a conversation has at most {names.MAX_MESSAGES} messages; start a new one")


@dataclass(frozen=True, kw_only=True)
class Sentiment:
    """Whether a text speaks well or ill of its subject."""

    task: ClassVar[Task] = "sentiment"
    text: str

    def __post_init__(self) -> None:
        check_text(self.text, "the text", names.MAX_TEXT)


@dataclass(frozen=True, kw_only=True)
class Question:
    """Where in a text the answer to a question stands."""

    task: ClassVar[Task] = "question"
    question: str
    context: str

    def __post_init__(self) -> None:
        check_text(self.question, "the question", names.MAX_QUESTION)
        check_text(self.context, "the text to search", names.MAX_CONTEXT)


@dataclass(frozen=True, kw_only=True)
class Summarise:
    """A text in fewer words."""

    task: ClassVar[Task] = "summary"
    text: str
    length: SummaryLength = "medium"

    def __post_init__(self) -> None:
        check_text(self.text, "the text", names.MAX_CONTEXT)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture of what a text describes."""

    task: ClassVar[Task] = "image"
    prompt: str
    steps: int = 20
    """Of denoising."""
    guidance: float = 4.0
    """How closely to follow the prompt (classifier-free guidance, Ho and Salimans 2022); 1 does not push."""
    size: int | None = None
    """Of both sides, in pixels; None takes what the model was trained on."""
    seed: int | None = None
    """Of the noise it starts from; None takes a new one, which the answer tells."""

    def __post_init__(self) -> None:
        check_text(self.prompt, "the prompt", names.MAX_PROMPT)
        check_int(self.steps, "the number of steps", 1, names.MAX_STEPS)
        check_float(self.guidance, "the guidance", 0.0, names.MAX_GUIDANCE)
        check_seed(self.seed)
        if self.size is not None:
            check_int(self.size, "the size", names.MIN_SIZE, names.MAX_SIZE)
            if self.size % names.SIZE_UNIT:
                raise InputError(f"the size must be a multiple of {names.SIZE_UNIT}, got {self.size}")


Request = NextWord | Generate | Chat | Sentiment | Question | Summarise | Picture
