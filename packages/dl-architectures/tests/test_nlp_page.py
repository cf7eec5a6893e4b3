"""The page without a browser: every task and state, with a tool that answers at once."""

import json
import logging
import sqlite3
import time
from html import unescape

import pytest
from nlp_pages import NASTY, TASKS, TYPED, ask, click, html, open_app, sound, type_in, words
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dl_architectures.nlp import names, requests
from dl_architectures.nlp.api import ModelError
from dl_architectures.nlp_tool import examples, resources
from dl_shared.errors import InputError


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
    app.selectbox(key="size embedded:pictures").set_value("256 pixels")
    ask(app, "image")
    picture = tool.asked[1][0]
    assert (picture.steps, picture.size, picture.seed) == (3, 256, None)
    app = page("summary", app)
    app.segmented_control[0].set_value("short")
    ask(app, "summary")
    assert tool.asked[2][0].length == "short"


def test_sizes_fit_the_model(page, tool):
    tool.pixels = 32
    app = page("image")
    size = app.selectbox(key="size embedded:pictures")
    assert size.options == ["The model's own", "16 pixels", "32 pixels", "48 pixels", "64 pixels"]
    size.set_value("48 pixels")
    ask(app, "image")
    assert tool.asked[0][0].size == 48


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


def test_a_database_that_refuses_spoils_no_answer(page, tmp_path):
    app = page("generate")
    with sqlite3.connect(tmp_path / "feedback.sqlite3") as connection:
        connection.execute("DROP TABLE nlp_ratings")
        connection.execute("DROP TABLE nlp_answers")
    ask(app, "generate")
    assert "lived" in html(app)
    sound(app.feedback[0].set_value(1).run())
    assert "could not be saved" in app.error[0].value
    assert "could not be saved" in app.warning[0].value
    for name in ("feedback", "evaluation"):
        assert "cannot be read" in page(name, app).error[0].value


def test_a_tool_that_cannot_start_says_why(tool):
    def broken():
        raise InputError("--database must be sqlite:///FILE")

    resources.configure(lambda: tool, broken)
    app = open_app()
    assert r"database must be sqlite" in app.error[0].value


def test_a_conversation_is_saved_in_the_layout_of_chat_models():
    from dl_architectures.nlp_tool.wording import conversation

    messages = [requests.Message(role="user", content="é"), requests.Message(role="assistant", content="b")]
    assert json.loads(conversation("s", messages))["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "é"},
        {"role": "assistant", "content": "b"},
    ]
