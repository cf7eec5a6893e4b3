"""The feedback database: what it keeps through kills and many writers at once, what it refuses, how it is exported."""

import csv
import io
import json
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dl_architectures.nlp_tool import database, export
from dl_architectures.nlp_tool.feedback import MAX_COMMENT, MAX_TEXT, Answer, Feedback, FeedbackError, Rating
from dl_architectures.nlp_tool.schema import metadata
from dl_shared.errors import InputError

WRITER = """
import sys
from dl_architectures.nlp_tool.feedback import Answer, Feedback, Rating
url, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
feedback = Feedback(url)
for n in range(count):
    answer = Answer(task="chat", model=name, outcome="finished", seconds=0.5)
    feedback.rate(answer, Rating(rating="up", comment=f"{name} {n}", prompt="long " * 800, answer="text " * 800))
    print(answer.answer_id, flush=True)
"""


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def empty_database(request, tmp_path_factory):
    """A function that gives the URL of a database that nobody has used."""
    folder = tmp_path_factory.mktemp("databases")
    if request.param == "sqlite":
        yield (f"sqlite:///{folder / f'{n}.sqlite3'}" for n in range(100))
    else:
        with _postgresql(folder) as urls:
            yield urls


def _postgresql(folder):
    pytest.importorskip("psycopg", reason="no driver: the feedback is tested on SQLite only, not on PostgreSQL")
    from postgresql_server import server, why_not

    if reason := why_not():
        pytest.skip(f"{reason}: the feedback is tested on SQLite only, not on PostgreSQL")
    return server(folder)


@pytest.fixture
def url(empty_database):
    return next(empty_database)


@pytest.fixture
def feedback(url):
    opened = Feedback(url)
    yield opened
    opened.close()


def an_answer(**changes):
    return Answer(**{"task": "chat", "model": "some/model", "outcome": "finished", "seconds": 1.5} | changes)


def test_what_was_rated_is_there_in_the_next_session(url, feedback):
    answer = an_answer(first_seconds=0.25)
    rating = Rating(rating="down", comment="Ça ne va pas 👎\nat all", prompt="Hello?", answer="<b>No</b>")
    feedback.rate(answer, rating)
    feedback.close()
    (row,) = Feedback(url).rated()
    assert row["rated_at"] - answer.created_at < timedelta(minutes=1)
    del row["rated_at"]
    assert row == vars(answer) | vars(rating)


def test_of_an_answer_that_nobody_rates_no_text_is_kept(feedback):
    feedback.record(an_answer(outcome="failed"))
    frame = feedback.answers()
    assert list(frame["outcome"]) == ["failed"]
    assert frame["rating"].isna().all()
    assert not list(feedback.rated())


def test_a_second_opinion_takes_the_place_of_the_first(feedback):
    answer = an_answer()
    feedback.record(answer)
    feedback.rate(answer, Rating(rating="up"))
    feedback.rate(answer, Rating(rating="down", comment="on second thoughts"))
    (row,) = feedback.rated()
    assert (row["rating"], row["comment"]) == ("down", "on second thoughts")
    assert len(feedback.answers()) == 1


def test_a_rating_can_be_withdrawn_with_its_texts(feedback):
    answer, other = an_answer(), an_answer()
    for each in (answer, other):
        feedback.rate(each, Rating(rating="up", comment="mine"))
    feedback.withdraw(answer)
    assert [row["answer_id"] for row in feedback.rated()] == [other.answer_id]
    assert len(feedback.answers()) == 2


def test_the_newest_come_first_where_only_few_are_asked_for(feedback):
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for day, rating in enumerate(["up", "down", "up", "down"]):
        feedback.rate(an_answer(created_at=start + timedelta(days=day)), Rating(rating=rating, comment=str(day)))
    assert [row["comment"] for row in feedback.rated()] == ["0", "1", "2", "3"]
    assert [row["comment"] for row in feedback.rated(newest=3)] == ["3", "2", "1"]
    assert [row["comment"] for row in feedback.rated(newest=1, rating="up")] == ["2"]


def test_times_are_kept_in_utc_wherever_the_answer_was_given(feedback):
    there = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=9)))
    feedback.rate(an_answer(created_at=there), Rating(rating="up"))
    (row,) = feedback.rated()
    assert row["created_at"] == there
    assert row["created_at"].utcoffset() == timedelta(0)
    assert feedback.answers()["created_at"][0] == there


def test_texts_are_bounded_and_made_fit_for_every_database(feedback):
    torn = "a\x00b\x1b[31m\ud83dc"
    feedback.rate(an_answer(), Rating(rating="up", comment=torn, prompt="p" * (MAX_TEXT + 1), answer="q" * MAX_TEXT))
    (row,) = feedback.rated()
    assert row["comment"] == "ab[31m?c"
    assert row["prompt"] == "p" * (MAX_TEXT - 1) + "…"
    assert row["answer"] == "q" * MAX_TEXT
    with pytest.raises(ValueError, match=r"at most 2,000 characters, this one has 2,001"):
        Rating(rating="up", comment="c" * (MAX_COMMENT + 1))


def test_sql_in_a_comment_is_only_text(feedback):
    comment = "'); DROP TABLE nlp_ratings; --"
    feedback.rate(an_answer(model=comment), Rating(rating="up", comment=comment))
    assert next(feedback.rated())["comment"] == comment


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match=r"must say its time zone"):
        an_answer(created_at=datetime(2026, 1, 1))


def test_processes_that_open_a_new_database_and_write_at_once_lose_nothing(url):
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, url, f"w{n}", "20"], stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    acknowledged = [line for writer in writers for line in writer.communicate()[0].split()]
    assert [writer.returncode for writer in writers] == [0] * 3
    kept = list(Feedback(url).rated())
    assert sorted(acknowledged) == sorted(row["answer_id"] for row in kept)
    assert {row["comment"] for row in kept} == {f"w{w} {n}" for w in range(3) for n in range(20)}


@pytest.mark.parametrize("after", [1, 7, 23])
def test_a_server_killed_while_it_writes_loses_nothing_that_was_acknowledged(url, after):
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url, "w", "100000"], stdout=subprocess.PIPE, text=True
    ) as writer:
        acknowledged = [writer.stdout.readline().strip() for _ in range(after)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split()
    kept = [row["answer_id"] for row in Feedback(url).rated()]
    # One more may be there: written, and the writer killed before it could say so.
    assert set(acknowledged) <= set(kept)
    assert len(kept) <= len(acknowledged) + 1
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]


def test_the_revisions_make_the_tables_that_the_program_uses(url):
    with database.open_database(url).begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "nlp_version"})
        assert context.get_current_revision() == "0001"
        assert compare_metadata(context, metadata) == []


def test_a_database_of_a_newer_version_is_left_alone(url):
    with database.open_database(url).begin() as connection:
        connection.exec_driver_sql("UPDATE nlp_version SET version_num = '9999'")
    with pytest.raises(InputError, match=r"newer version of dl-nlp-tool; update it, or name another with --database"):
        Feedback(url)


@pytest.mark.parametrize("url", ["feedback.db", "mysql://localhost/x", "sqlite://", "sqlite:///:memory:", "", "x://y"])
def test_a_database_of_another_kind_is_refused(url):
    with pytest.raises(InputError, match=r"--database (must be|needs a file)"):
        database.open_database(url or " ")


def test_what_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "letter.txt"
    file.write_text("Dear database, " * 100)
    with pytest.raises(InputError, match=r"letter.txt cannot be opened: file is not a database"):
        Feedback(f"sqlite:///{file}")
    assert file.read_text() == "Dear database, " * 100
    with pytest.raises(InputError, match=r"cannot be made"):
        Feedback(f"sqlite:///{file}/below/feedback.sqlite3")


def test_a_password_is_not_shown():
    pytest.importorskip("psycopg")
    with pytest.raises(InputError, match=r"localhost:1/x cannot be opened") as error:
        Feedback("postgresql://me:secret@localhost:1/x")
    assert "secret" not in str(error.value)


def test_a_database_that_goes_away_gives_a_message(tmp_path):
    feedback = Feedback(f"sqlite:///{tmp_path / 'f.sqlite3'}")
    with sqlite3.connect(tmp_path / "f.sqlite3") as connection:
        connection.execute("DROP TABLE nlp_ratings")
    with pytest.raises(FeedbackError, match=r"could not be saved: no such table: nlp_ratings"):
        feedback.rate(an_answer(), Rating(rating="up", comment="private"))
    with pytest.raises(FeedbackError, match=r"cannot be read"):
        list(feedback.rated())


def test_a_time_that_is_none_gives_a_message(tmp_path):
    feedback = Feedback(f"sqlite:///{tmp_path / 'f.sqlite3'}")
    feedback.rate(an_answer(), Rating(rating="up"))
    with sqlite3.connect(tmp_path / "f.sqlite3") as connection:
        connection.execute("UPDATE nlp_ratings SET rated_at = '2026-11-22 25:00'")
    with pytest.raises(FeedbackError, match=r"the database is damaged"):
        list(feedback.rated())


def a_row(**texts):
    moment = datetime(2026, 11, 22, 7, 30, tzinfo=UTC)
    row = vars(an_answer(created_at=moment, answer_id="0" * 32)) | {"rated_at": moment} | vars(Rating(rating="up"))
    return row | texts


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", " =cmd|' /C calc'!A0", "＝1+1", "\n+1"]
)
def test_no_text_is_a_formula_to_a_spreadsheet(text):
    written = "".join(export.to_csv([a_row(comment=text, prompt=text)]))
    (row,) = csv.DictReader(io.StringIO(written, newline=""))
    assert row["comment"] == row["prompt"] == f"'{text}"
    assert row["seconds"] == "1.5"


def test_exports_hold_every_rated_answer_as_it_is():
    rows = [a_row(comment='say "yes", \nplease', answer="a = b"), a_row(comment="été 🎉", first_seconds=0.5)]
    read = list(csv.DictReader(io.StringIO("".join(export.to_csv(rows)), newline="")))
    assert [row["comment"] for row in read] == [row["comment"] for row in rows]
    assert [row["answer"] for row in read] == ["a = b", ""]
    assert [row["first_seconds"] for row in read] == ["", "0.5"]
    lines = [json.loads(line) for line in "".join(export.to_jsonl(rows)).splitlines()]
    times = {"created_at": "2026-11-22T07:30:00.000+00:00", "rated_at": "2026-11-22T07:30:00.000+00:00"}
    assert lines == [row | times for row in rows]


def test_an_export_of_nothing_still_names_its_columns():
    assert "".join(export.to_csv([])).count("\n") == 1
    assert "".join(export.to_csv([])).startswith('"answer_id","created_at"')


def test_the_default_database_is_in_the_users_data_folder():
    assert Path(database.default_url().removeprefix("sqlite:///")).is_absolute()
