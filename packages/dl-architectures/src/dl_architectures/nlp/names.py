"""Names of tasks and embedded models, and the bounds of what may be asked; imports nothing heavy."""

from typing import Literal, get_args

Task = Literal["next-word", "generate", "chat", "sentiment", "question", "summary", "image"]
SummaryLength = Literal["short", "medium", "long"]
Role = Literal["user", "assistant"]
Source = Literal["embedded", "hub", "folder"]

TASKS: tuple[Task, ...] = get_args(Task)
TITLES: dict[Task, str] = {
    "next-word": "Next word",
    "generate": "Text generation",
    "chat": "Chat",
    "sentiment": "Sentiment",
    "question": "Question answering",
    "summary": "Summary",
    "image": "Image generation",
}
LENGTHS: tuple[SummaryLength, ...] = get_args(SummaryLength)

LANGUAGE_MODEL = "embedded:language-model"
SENTIMENT_MODEL = "embedded:sentiment"
QUESTION_METHOD = "embedded:question"
SUMMARY_METHOD = "embedded:summary"
PICTURE_MODEL = "embedded:pictures"
EMBEDDED: dict[Task, str] = {
    "next-word": LANGUAGE_MODEL,
    "generate": LANGUAGE_MODEL,
    "chat": LANGUAGE_MODEL,
    "sentiment": SENTIMENT_MODEL,
    "question": QUESTION_METHOD,
    "summary": SUMMARY_METHOD,
    "image": PICTURE_MODEL,
}
"""The model of each task that is in the package. Hub ids hold no colon, so that none can be taken for another."""

# In characters.
MAX_TEXT = 20_000
MAX_CONTEXT = 200_000  # what is read in parts: to be summarised, or to be asked about
MAX_QUESTION = 1_000
MAX_PROMPT = 1_000  # of a picture
MAX_MESSAGES = 400

MAX_WORDS = 50
MAX_TOKENS = 2_000
MAX_TEMPERATURE = 2.0
MAX_STEPS = 100
MAX_GUIDANCE = 20.0
MIN_SIZE, MAX_SIZE, SIZE_UNIT = 16, 1024, 8  # of a picture's sides, in pixels
MAX_SEED = 2**32 - 1
