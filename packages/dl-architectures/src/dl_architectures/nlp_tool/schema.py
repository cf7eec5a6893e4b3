"""The tables of the feedback database. A change here needs a revision under `migrations/versions`; a test compares."""

from sqlalchemy import CheckConstraint, Column, DateTime, Float, ForeignKey, Index, MetaData, String, Table, Text

RATINGS = ("up", "down")
OUTCOMES = ("finished", "cancelled", "failed")

metadata = MetaData(
    naming_convention={  # PostgreSQL and SQLite would name them differently, and a later revision could not drop them
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(map(repr, values))})", name=column)


answers = Table(
    "nlp_answers",
    metadata,
    Column("answer_id", String(32), primary_key=True),
    Column("created_at", DateTime(timezone=True), nullable=False),  # UTC; SQLite forgets the zone
    Column("task", String(40), nullable=False),
    Column("model", String(200), nullable=False),
    Column("outcome", String(10), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("first_seconds", Float),
    _one_of("outcome", OUTCOMES),
    comment="One row an answer: which model, how long. Nothing that was typed.",
)
Index(None, answers.c.created_at)

ratings = Table(
    "nlp_ratings",
    metadata,
    Column("answer_id", String(32), ForeignKey(answers.c.answer_id, ondelete="CASCADE"), primary_key=True),
    Column("rated_at", DateTime(timezone=True), nullable=False),
    Column("rating", String(4), nullable=False),
    Column("comment", Text, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("answer", Text, nullable=False),
    _one_of("rating", RATINGS),
    comment="One row a rated answer, with the text that the rating is about.",
)
