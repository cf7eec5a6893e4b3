"""How the tool is judged from feedback, against figures worked by hand."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from dl_architectures.nlp_tool import evaluation
from dl_architectures.nlp_tool.feedback import Feedback


def frame(*rows):
    """Answers from tuples of (day of November 2026, task, model, outcome, seconds, rating)."""
    columns = ["day", "task", "model", "outcome", "seconds", "rating"]
    made = pd.DataFrame(rows, columns=columns)
    made["created_at"] = [datetime(2026, 11, day, 23, 59, tzinfo=UTC) for day in made.pop("day")]
    return made.assign(first_seconds=made["seconds"] / 10)


ANSWERS = frame(
    (1, "chat", "a", "finished", 1.0, "up"),  # a Sunday
    (2, "chat", "a", "finished", 3.0, "down"),  # a Monday
    (8, "chat", "b", "finished", 2.0, "up"),  # the Sunday of that week
    (8, "chat", "b", "cancelled", 90.0, None),
    (9, "summary", "b", "failed", 70.0, None),
    (9, "summary", "c", "finished", 4.0, "up"),
)


def test_the_share_of_thumbs_up_counts_rated_answers_only():
    found = evaluation.satisfaction(ANSWERS, ["task"]).set_index("task")
    assert dict(found["ratings"]) == {"chat": 3, "summary": 1}
    assert found.loc["chat", "share"] == pytest.approx(2 / 3)
    # Wilson's interval, n = 1, all up: from 1 / (1 + z^2) to 1, with z = 1.959964.
    assert found.loc["summary", "low"] == pytest.approx(1 / (1 + 1.959964**2), abs=1e-6)
    assert found.loc["summary", "high"] == pytest.approx(1)
    # n = 3, p = 2/3: centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p q / n + z^2 / 4 n^2) / (1 + z^2/n).
    assert found.loc["chat", "low"] == pytest.approx(0.207660, abs=1e-6)
    assert found.loc["chat", "high"] == pytest.approx(0.938509, abs=1e-6)


def test_tasks_and_models_are_told_apart():
    found = evaluation.satisfaction(ANSWERS).set_index(["task", "model"])["up"]
    assert found.to_dict() == {("chat", "a"): 1, ("chat", "b"): 1, ("summary", "c"): 1}


def test_weeks_begin_on_monday_and_days_in_utc():
    weeks = evaluation.satisfaction_over_time(ANSWERS, "week")
    assert [(str(row.start.date()), row.task, row.ratings) for row in weeks.itertuples()] == [
        ("2026-10-26", "chat", 1),
        ("2026-11-02", "chat", 2),
        ("2026-11-09", "summary", 1),
    ]
    days = evaluation.satisfaction_over_time(ANSWERS, "day")
    assert [row.start.day for row in days.itertuples()] == [1, 2, 8, 9]
    assert list(evaluation.satisfaction_over_time(ANSWERS, "month")["ratings"]) == [3, 1]


def test_latency_is_of_finished_answers_and_failures_of_all():
    found = evaluation.latency(ANSWERS, ["task"]).set_index("task")
    assert found.loc["chat"].to_dict() == pytest.approx(
        {"answers": 4, "median": 2.0, "p95": 2.9, "first": 0.2, "failed": 0.0}
    )
    assert found.loc["summary", "median"] == 4.0
    assert found.loc["summary", "failed"] == 0.5


def test_the_overview_is_of_everything():
    found = evaluation.overview(ANSWERS)
    assert (found.answers, found.rated, found.satisfied, found.median_seconds) == (6, 4, 0.75, 2.5)
    assert found.failed == pytest.approx(1 / 6)
    assert found.interval == pytest.approx(evaluation.wilson(3, 4))


def test_with_nothing_to_judge_every_figure_is_empty(tmp_path):
    nothing = Feedback(f"sqlite:///{tmp_path / 'f.sqlite3'}").answers()
    assert evaluation.overview(nothing) == evaluation.Overview(
        answers=0, rated=0, satisfied=None, interval=None, median_seconds=None, failed=None
    )
    for table in (
        evaluation.satisfaction(nothing),
        evaluation.satisfaction_over_time(nothing),
        evaluation.latency(nothing),
    ):
        assert table.empty
        assert "task" in table
