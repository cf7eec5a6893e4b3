"""Answers and their ratings."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "nlp_answers",
        sa.Column("answer_id", sa.String(32), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("task", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("first_seconds", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_nlp_answers")),
        sa.CheckConstraint("outcome IN ('finished', 'cancelled', 'failed')", name=op.f("ck_nlp_answers_outcome")),
        comment="One row an answer: which model, how long. Nothing that was typed.",
    )
    op.create_index(op.f("ix_nlp_answers_created_at"), "nlp_answers", ["created_at"])
    op.create_table(
        "nlp_ratings",
        sa.Column("answer_id", sa.String(32), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rating", sa.String(4), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("answer_id", name=op.f("pk_nlp_ratings")),
        sa.ForeignKeyConstraint(
            ["answer_id"], ["nlp_answers.answer_id"], name=op.f("fk_nlp_ratings_answer_id"), ondelete="CASCADE"
        ),
        sa.CheckConstraint("rating IN ('up', 'down')", name=op.f("ck_nlp_ratings_rating")),
        comment="One row a rated answer, with the text that the rating is about.",
    )
