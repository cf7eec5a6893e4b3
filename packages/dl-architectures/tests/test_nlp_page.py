"""The page without a browser: every view and state, with a tool that answers at once."""

import json
import logging
import sqlite3
import time
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from fake_tool import HUB_MODEL, FakeTool
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

import dl_architectures.nlp_tool as package
from dl_architectures.nlp import names, requests
from dl_architectures.nlp.api import ModelError
from dl_architectures.nlp_tool import examples, resources
from dl_architectures.nlp_tool.feedback import Answer, Feedback, Rating
from dl_shared.errors import InputError

NASTY = '<script>alert("1")</script> **bold** :material/bolt: $x$ [a](http://x.y)'
# What is typed on each page: fields by their keys, and the button that asks.
TYPED = {
    "next_word": ({"text next-word": "Once upon"}, "Show next words"),
    "generate": ({"text generate": "Once upon"}, "Continue"),
    "sentiment": ({"text sentiment": "Good film"}, "Judge"),
    "question": ({"context": "The answer is here.", "question": "Where?"}, "Find the answer"),
    "summary": ({"text summary": "One sentence of it. Another sentence of it."}, "Summarise"),
    "image": ({"prompt": "a sneaker"}, "Draw"),
}
TASKS = dict(zip(TYPED, ("next-word", "generate", "sentiment", "question", "summary", "image"), strict=True))


@pytest.fixture
def tool():
    return FakeTool()


@pytest.fixture
def database(tmp_path):
    return tmp_path / "feedback.sqlite3"


@pytest.fixture
def feedback(database):
    opened = Feedback(f"sqlite:///{database}")
    yield opened
    opened.close()


@pytest.fixture
def page(tool, feedback):
    """A function that opens a page of a new session."""
    resources.configure(lambda: tool, lambda: feedback)

    def open_page(name, app=None):
        app = app or AppTest.from_file(Path(package.__file__).with_name("app.py"), default_timeout=60).run()
        return sound(app.switch_page(f"views/{name}.py").run())

    return open_page


def sound(app):
    """The page, which shows no traceback."""
    assert not app.exception
    return app


def html(app):
    """All HTML of the page."""
    return "".join(element.proto.body for element in app.get("html"))


def words(app):
    """All that can be read on the page, as it is sent."""
    written = [e.value for kind in ("markdown", "caption", "text", "info", "warning", "error", "success", "subheader")
               for e in app.get(kind)]  # fmt: skip
    return "\n".join([html(app), *written])


def click(app, label):
    (button,) = [button for button in app.button if button.label == label]
    return sound(button.click().run())


def type_in(app, fields):
    for key, text in fields.items():
        (field,) = [field for field in (*app.text_area, *app.text_input) if field.key == key]
        field.set_value(text)
    return app


def ask(app, name):
    fields, button = TYPED[name]
    return click(type_in(app, fields), button)


@pytest.mark.parametrize("name", TYPED)
def test_a_page_says_what_to_do_then_answers_and_keeps_the_times(page, tool, feedback, name):
    app = page(name)
    assert len(app.info) == 1
    assert not app.feedback
    sound(ask(app, name))
    (asked,) = tool.asked
    assert asked[1] == names.EMBEDDED[TASKS[name]]
    assert set(TYPED[name][0].values()) <= set(vars(asked[0]).values())
    assert not app.info
    assert "Read *all*" not in words(app)
    assert r"Read \*all\* of it\." in words(app)
    (row,) = feedback.answers().to_dict("records")
    assert (row["task"], row["model"], row["outcome"]) == (TASKS[name], names.EMBEDDED[TASKS[name]], "finished")
    assert 0 <= row["first_seconds"] <= row["seconds"]
    assert [button.key for button in app.button if button.key == "stop"] == []


@pytest.mark.parametrize("name", TYPED)
def test_examples_fill_the_fields(page, name):
    app = page(name)
    example = next(button for button in app.button if (button.key or "").startswith("example 0"))
    sound(example.click().run())
    fields = {field.key: field.value for field in (*app.text_area, *app.text_input)}
    assert all(fields[key] for key in TYPED[name][0])
    click(app, TYPED[name][1])
    assert app.feedback


@pytest.mark.parametrize("name", TYPED)
def test_a_field_left_empty_is_said_so_and_nothing_is_asked(page, tool, name):
    app = click(page(name), TYPED[name][1])
    assert "is empty" in app.warning[0].value
    assert tool.asked == []


@pytest.mark.parametrize("name", TYPED)
def test_what_is_typed_and_answered_is_never_html_or_markdown(page, tool, name):
    tool.says = NASTY
    fields, button = TYPED[name]
    app = click(type_in(page(name), dict.fromkeys(fields, NASTY)), button)
    shown = words(app)
    assert "<script" not in shown
    for text in (*app.markdown, *app.caption, *app.subheader, *app.error, *app.warning):
        assert "**bold**" not in text.value
        assert ":material/bolt:" not in text.value
    for element in app.button:
        assert "**end**" not in element.label
        assert "<i>" not in element.label


def test_what_a_model_says_of_itself_is_not_markdown_either(page):
    app = page("models")
    assert any(r"Writes \*well\*\." in caption.value for caption in app.caption)


def test_the_answer_is_marked_in_the_text(page):
    app = ask(page("question"), "question")
    assert "<mark>answe</mark>" in html(app)
    assert app.subheader[0].value == "answe"


def test_a_question_that_the_text_does_not_answer(page):
    app = type_in(page("question"), {"context": "Bees dance.", "question": "What do penguins eat?"})
    click(app, "Find the answer")
    assert app.subheader[0].value == "Not in the text"


def test_words_are_coloured_by_what_they_did(page):
    app = ask(page("sentiment"), "sentiment")
    assert app.subheader[0].value == "Positive"
    assert 'background: rgba(0, 114, 178, 0.70)" title="+1.50">Good</span> film' in html(app)


def test_a_click_on_a_word_continues_the_text_and_asks_again(page, tool):
    app = ask(page("next_word"), "next_word")
    sound(app.button(key="word 0").click().run())
    assert app.text_area(key="text next-word").value == "Once upon **end**"
    assert [request.text for request, _ in tool.asked] == ["Once upon", "Once upon **end**"]


def test_settings_reach_the_model(page, tool):
    app = page("generate")
    app.slider(key="length generate").set_value(33)
    app.slider(key="temperature generate").set_value(0.0)
    app.slider(key="top-p generate").set_value(0.5)
    app.number_input(key="seed generate").set_value(5)
    ask(app, "generate")
    assert tool.asked[0][0].sampling == requests.Sampling(max_tokens=33, temperature=0.0, top_p=0.5, seed=5)
    app = page("image", app)
    app.slider(key="steps").set_value(3)
    app.selectbox(key="size").set_value("256 pixels")
    ask(app, "image")
    picture = tool.asked[1][0]
    assert (picture.steps, picture.size, picture.seed) == (3, 256, None)
    app = page("summary", app)
    app.segmented_control[0].set_value("short")
    ask(app, "summary")
    assert tool.asked[2][0].length == "short"


def test_fields_and_answers_are_still_there_when_one_comes_back(page, tool):
    app = ask(page("generate"), "generate")
    page("generate", page("sentiment", app))
    assert app.text_area(key="text generate").value == "Once upon"
    assert "lived" in html(app)
    assert len(tool.asked) == 1


def test_a_model_that_fails_gives_a_message_and_is_counted(page, tool, feedback):
    tool.fails = ModelError("the model larger-model has no room; take a *smaller* one")
    app = ask(page("generate"), "generate")
    assert [error.value for error in app.error] == [r"the model larger\-model has no room\; take a \*smaller\* one"]
    assert not app.feedback
    assert list(feedback.answers()["outcome"]) == ["failed"]


def test_an_error_that_nobody_foresaw_is_logged_and_not_shown(page, tool, caplog):
    tool.fails = ZeroDivisionError("secret path /home/me")
    with caplog.at_level(logging.ERROR):
        app = ask(page("sentiment"), "sentiment")
    assert "log tells more" in app.error[0].value
    assert "secret" not in words(app)
    assert "ZeroDivisionError" in caplog.text


def test_what_had_come_of_a_stopped_answer_stays(page, tool, feedback):
    pieces = []

    def stop_at_the_third():
        pieces.append(time.sleep(0.06))
        if len(pieces) == 3:
            get_script_run_ctx().script_requests.request_stop()  # as a click elsewhere does

    tool.before_pieces = stop_at_the_third
    app = ask(page("generate"), "generate")
    sound(app.run())
    assert len(pieces) == 3
    assert len(tool.asked) == 1
    assert "and they lived" in unescape(html(app))
    assert "happily" not in html(app)
    assert any(caption.value.startswith("Stopped after") for caption in app.caption)
    assert list(feedback.answers()["outcome"]) == ["cancelled"]
    assert app.feedback


def test_a_conversation_is_remembered_saved_and_begun_anew(page, tool):
    app = page("chat")
    app.text_area(key="system").set_value("Be brief.")
    app.chat_input[0].set_value("Hello").run()
    sound(app.chat_input[0].set_value(NASTY).run())
    first, second = (request for request, _ in tool.asked)
    assert [m.content for m in second.messages] == ["Hello", "and they lived happily ", NASTY]
    assert first.system == second.system == "Be brief."
    assert "<script" not in html(app)
    assert len(app.feedback) == 2
    click(app, "New conversation")
    assert not app.chat_message
    assert app.info
    sound(app.chat_input[0].set_value("Again").run())
    assert len(tool.asked[-1][0].messages) == 1


def test_an_example_begins_a_conversation(page, tool):
    app = page("chat")
    sound(app.button[0].click().run())
    assert tool.asked[0][0].messages[0].content == examples.CHAT[0]
    assert len(app.chat_message) == 2


def test_a_turn_that_failed_is_not_remembered(page, tool):
    app = page("chat")
    tool.fails = ModelError("no room")
    app.chat_input[0].set_value("Hello").run()
    tool.fails = None
    sound(app.chat_input[0].set_value("Once more").run())
    assert [m.content for m in tool.asked[-1][0].messages] == ["Once more"]


def test_thumbs_and_a_comment_are_kept_changed_and_withdrawn(page, feedback):
    app = ask(page("generate"), "generate")
    sound(app.feedback[0].set_value(1).run())
    (row,) = feedback.rated()
    assert (row["rating"], row["prompt"], row["answer"]) == ("up", "Once upon", "and they lived happily ")
    app.text_area[-1].set_value("  too short ")
    click(app, "Send")
    assert next(feedback.rated())["comment"] == "too short"
    sound(app.feedback[0].set_value(0).run())
    (row,) = feedback.rated()
    assert (row["rating"], row["comment"]) == ("down", "too short")
    page("generate", page("chat", app))
    assert app.feedback[0].value == 0
    sound(app.feedback[0].set_value(None).run())
    assert not list(feedback.rated())


def test_a_database_that_refuses_spoils_no_answer(page, database, feedback):
    app = page("generate")
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TABLE nlp_ratings")
        connection.execute("DROP TABLE nlp_answers")
    ask(app, "generate")
    assert "lived" in html(app)
    sound(app.feedback[0].set_value(1).run())
    assert "could not be saved" in app.error[0].value
    assert "could not be saved" in app.warning[0].value
    for name in ("feedback", "evaluation"):
        assert "cannot be read" in page(name, app).error[0].value


def test_a_tool_that_cannot_start_says_why(page):
    def broken():
        raise InputError("--database must be sqlite:///FILE")

    resources.configure(FakeTool, broken)
    app = sound(AppTest.from_file(Path(package.__file__).with_name("app.py"), default_timeout=60).run())
    assert r"database must be sqlite" in app.error[0].value


def test_feedback_is_listed_and_can_be_filtered(page, feedback):
    app = page("feedback")
    assert "Nothing was rated yet" in app.info[0].value
    assert not app.get("download_button")
    for rating in ("up", "down"):
        answer = Answer(task="chat", model="a/b", outcome="finished", seconds=1.0)
        feedback.rate(answer, Rating(rating=rating, comment=f"{rating} {NASTY}", prompt=NASTY, answer=NASTY))
    sound(app.run())
    assert "<script" not in words(app)
    assert html(app).index("<mark>down") < html(app).index("<mark>up")
    sound(app.segmented_control[0].set_value("up").run())
    assert "<mark>down" not in html(app)
    assert len(app.get("download_button")) == 2


def test_the_evaluation_shows_figures_charts_and_the_worst_answers(page, feedback):
    app = page("evaluation")
    assert "Nothing was asked yet" in app.info[0].value
    rated = [("up", 1.0), ("up", 2.0), ("down", 6.0)]
    for rating, seconds in rated:
        answer = Answer(task="chat", model="a/b", outcome="finished", seconds=seconds, first_seconds=0.5)
        feedback.rate(answer, Rating(rating=rating, comment=f"it was {rating}", prompt="p", answer="a"))
    feedback.record(Answer(task="chat", model="a/b", outcome="failed", seconds=0.1))
    sound(app.run())
    assert {metric.label: metric.value for metric in app.metric} == {
        "Answers": "4", "Rated": "3", "Satisfied": "66.7 %", "Median time": "2.0 s", "Failed": "25.0 %",
    }  # fmt: skip
    assert len(app.get("vega_lite_chart")) + len(app.get("arrow_vega_lite_chart")) == 1
    by_model, worst = (table.value for table in app.dataframe)
    assert by_model.to_dict("records")[0]["ratings"] == 3
    assert list(worst["comment"]) == ["it was down"]


def test_an_evaluation_without_a_rating_still_shows_times(page, feedback):
    feedback.record(Answer(task="chat", model="a/b", outcome="finished", seconds=1.0))
    app = page("evaluation")
    assert "No answer was rated yet" in app.info[0].value
    assert isinstance(app.dataframe[0].value, pd.DataFrame)
    assert "No answer has thumbs down" in app.success[0].value


def test_a_model_that_is_not_here_is_offered_with_licence_and_size(page, tool):
    app = page("generate")
    sound(app.selectbox(key="model generate").set_value(HUB_MODEL).run())
    assert "Licence: apache-2.0\nDownload: 250.0 MB" in [text.value for text in app.text]
    ask(app, "generate")
    assert tool.asked == []
    click(app, "Download")
    assert not [text for text in app.text if "is not on this machine" in text.value]
    ask(app, "generate")
    assert tool.asked[0][1] == HUB_MODEL


def test_without_a_network_the_hub_is_said_to_be_away(page, tool):
    tool.online = False
    app = page("models")
    sound(app.text_input(key="hub id").set_value("nobody/knows").run())
    click(app, "Look it up on the hub")
    assert r"the hub cannot be reached" in app.error[0].value
    sound(app.text_input(key="hub id").set_value(HUB_MODEL).run())
    sound(app.button(key=f"download {HUB_MODEL}").click().run())
    assert "the network is gone" in app.error[0].value


def test_models_are_looked_up_downloaded_and_deleted(page, tool):
    app = page("models")
    assert "4.0 MB of 8.0 GB" in app.get("progress")[0].proto.text
    assert any(r"\/models" in caption.value for caption in app.caption)
    sound(app.text_input(key="hub id").set_value("no hub id").run())
    assert "owner/name" in app.warning[0].value
    sound(app.text_input(key="hub id").set_value("any/one").run())
    click(app, "Look it up on the hub")
    assert "Licence: apache-2.0\nDownload: 250.0 MB" in [text.value for text in app.text]
    sound(app.button(key="download any/one").click().run())
    assert tool.here == {"any/one"}
    tool.here.add(HUB_MODEL)
    click(sound(app.run()), "Delete from this machine")
    assert tool.here == {"any/one"}


def test_a_conversation_is_saved_in_the_layout_of_chat_models():
    from dl_architectures.nlp_tool.wording import conversation

    messages = [requests.Message(role="user", content="é"), requests.Message(role="assistant", content="b")]
    assert json.loads(conversation("s", messages))["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "é"},
        {"role": "assistant", "content": "b"},
    ]
