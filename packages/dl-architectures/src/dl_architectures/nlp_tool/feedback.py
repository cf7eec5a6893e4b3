"""What people think of the answers: thumbs and comments, kept beside how long each answer took.

Of every answer the database keeps task, model and times; what was typed and answered only where somebody rated it.
"""

import unicodedata
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from dl_architectures.nlp_tool.database import describe, open_database
from dl_architectures.nlp_tool.schema import answers, ratings

MAX_COMMENT = 2_000  # characters; a longer one is refused
MAX_TEXT = 8_000  # characters kept of a prompt or an answer

Outcome = Literal["finished", "cancelled", "failed"]
Opinion = Literal["up", "down"]


class FeedbackError(RuntimeError):
    """The database did not take or give the feedback; the message is one line for the person at the page."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer that was given, or was to be.

    Attributes:
        task: its name.
        model: as it was chosen, such as `openai-community/gpt2`.
        outcome: how it ended.
        seconds: from the question to the end, loading of the model included.
        first_seconds: from the question to the first piece of the answer; None without one.
    """

    task: str
    model: str
    outcome: Outcome
    seconds: float
    first_seconds: float | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    answer_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.created_at.tzinfo is None:
            raise ValueError("created_at must say its time zone")

    def row(self) -> dict[str, Any]:
        """As the table has it."""
        return {
            "answer_id": self.answer_id,
            "created_at": self.created_at.astimezone(UTC),
            "task": plain_text(self.task, 40),
            "model": plain_text(self.model, 200),
            "outcome": self.outcome,
            "seconds": self.seconds,
            "first_seconds": self.first_seconds,
        }


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What somebody thinks of an answer.

    Attributes:
        rating: thumbs up or down.
        comment: at most `MAX_COMMENT` characters.
        prompt: what was asked; of this and the answer the first `MAX_TEXT` characters are kept.
        answer: what was answered.
    """

    rating: Opinion
    comment: str = ""
    prompt: str = ""
    answer: str = ""

    def __post_init__(self) -> None:
        if len(self.comment) > MAX_COMMENT:
            raise ValueError(f"a comment has at most {MAX_COMMENT:,} characters, this one has {len(self.comment):,}")

    def row(self) -> dict[str, Any]:
        """As the table has it, but for the answer's id and the time."""
        return {
            "rating": self.rating,
            "comment": plain_text(self.comment, MAX_COMMENT),
            "prompt": plain_text(self.prompt, MAX_TEXT),
            "answer": plain_text(self.answer, MAX_TEXT),
        }


def plain_text(text: str, limit: int) -> str:
    """Text that every database and file can hold: no control characters, no halves of surrogate pairs, bounded."""
    whole = text[: limit + 1].encode("utf-8", "replace").decode("utf-8")
    kept = "".join(letter for letter in whole if letter in "\n\t" or unicodedata.category(letter) != "Cc")
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


class Feedback:
    """The feedback database, for any number of threads and, side by side, of processes.

    Args:
        url: see `database.open_database`.

    Raises:
        InputError: if the database cannot be used.
    """

    def __init__(self, url: str | None = None) -> None:
        self._engine = open_database(url)
        self._insert: Any = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[self._engine.dialect.name]

    def close(self) -> None:
        self._engine.dispose()

    def record(self, answer: Answer) -> None:
        """Keep task, model and times of an answer.

        Raises:
            FeedbackError: if the database refuses.
        """
        self._write(answer, None)

    def rate(self, answer: Answer, rating: Rating) -> None:
        """Keep a rating, in the place of an earlier one of the same answer. When this returns, it is on the disk.

        Raises:
            FeedbackError: if the database refuses.
        """
        self._write(answer, rating)

    def withdraw(self, answer: Answer) -> None:
        """Delete the rating of an answer, and with it what was typed.

        Raises:
            FeedbackError: if the database refuses.
        """
        with self._writing() as connection:
            connection.execute(delete(ratings).where(ratings.c.answer_id == answer.answer_id))

    def _write(self, answer: Answer, rating: Rating | None) -> None:
        with self._writing() as connection:
            connection.execute(self._insert(answers).values(answer.row()).on_conflict_do_nothing())
            if rating is not None:
                row = {"rated_at": datetime.now(UTC)} | rating.row()
                connection.execute(
                    self._insert(ratings)
                    .values(row | {"answer_id": answer.answer_id})
                    .on_conflict_do_update(index_elements=["answer_id"], set_=row)
                )

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction; it is on the disk when the block has ended."""
        try:
            with self._engine.execution_options(begin="IMMEDIATE").begin() as connection:
                yield connection
        except DBAPIError as error:
            raise FeedbackError(f"the feedback could not be saved: {describe(error)}") from error

    def answers(self) -> pd.DataFrame:
        """One row an answer, oldest first: `answer_id`, `created_at` (UTC), `task`, `model`, `outcome`, `seconds`,
        `first_seconds`, `rating` (up, down or missing). No texts, so that it is small.

        Raises:
            FeedbackError: if the database cannot be read.
        """
        columns = [*answers.c, ratings.c.rating]
        frame = pd.DataFrame(self._read(columns, outer=True), columns=[column.name for column in columns])
        frame["created_at"] = pd.to_datetime(frame["created_at"], utc=True)
        return frame.astype({"seconds": float, "first_seconds": float})

    def rated(self, *, newest: int | None = None, rating: Opinion | None = None) -> Iterator[dict[str, Any]]:
        """The rated answers with their texts, oldest first, or the newest few, newest first.

        Raises:
            FeedbackError: if the database cannot be read.
        """
        columns = [*answers.c, *(column for column in ratings.c if column.name != "answer_id")]
        return self._read(columns, outer=False, newest=newest, rating=rating)

    def _read(
        self, columns: list[Any], *, outer: bool, newest: int | None = None, rating: Opinion | None = None
    ) -> Iterator[dict[str, Any]]:
        joined: Any = answers.join(ratings, isouter=outer)
        order = [answers.c.created_at, answers.c.answer_id]
        query = select(*columns).select_from(joined).order_by(*(c.desc() if newest else c for c in order)).limit(newest)
        if rating is not None:
            query = query.where(ratings.c.rating == rating)
        try:
            # In parts: an export of years of feedback need not fit into memory.
            with self._engine.connect().execution_options(yield_per=500) as connection:
                for row in connection.execute(query).mappings():
                    yield {name: _in_utc(value) for name, value in row.items()}
        except DBAPIError as error:
            raise FeedbackError(f"the feedback cannot be read: {describe(error)}") from error
        except ValueError as error:  # of times that are none
            raise FeedbackError(f"the feedback cannot be read, the database is damaged: {error}") from error


def _in_utc(value: Any) -> Any:
    """SQLite gives times without a zone, PostgreSQL in the zone of the session; they were written in UTC."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
