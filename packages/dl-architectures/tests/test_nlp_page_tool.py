"""The page without a browser: its views of feedback, evaluation and models."""

import pandas as pd
from fake_tool import HUB_MODEL
from nlp_pages import NASTY, ask, click, html, open_app, sound, words
from nlp_tools import lack_embedded_models

from dl_architectures.nlp.hub import Hub
from dl_architectures.nlp.tool import LocalTool
from dl_architectures.nlp_tool import resources
from dl_architectures.nlp_tool.feedback import Answer, Rating


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
    (curve,) = app.get("vega_lite_chart")
    assert '"text": "Chat"' in curve.proto.spec
    sound(app.segmented_control(key="lines").set_value("model").run())
    (curve,) = app.get("vega_lite_chart")
    assert '"text": "a/b"' in curve.proto.spec
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


def test_an_embedded_model_that_is_missing_is_offered_as_a_command(page, feedback, tmp_path, monkeypatch):
    lack_embedded_models(monkeypatch, tmp_path / "embedded")
    resources.configure(lambda: LocalTool(hub=Hub(cache=tmp_path / "hub")), lambda: feedback)
    app = open_app()
    assert "python -m dl_architectures.nlp.training.language_model train --data PATH" in app.code[0].value
    ask(app, "next_word")
    assert "choose another" in app.warning[0].value
    assert feedback.answers().empty
    app = page("models", app)
    assert len(app.code) == 3
    assert len([text for text in app.text if text.value.startswith("This installation lacks embedded:")]) == 3


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
    assert {"embedded:sentiment: 4.0 MB", "embedded:summary"} <= {text.value for text in app.text}
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
