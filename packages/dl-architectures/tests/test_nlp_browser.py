"""The page in a real browser: with a tool that answers at once, with tiny models, and with the embedded ones."""

import itertools
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dl_architectures.nlp.tool import LocalTool
from dl_shared.testing import CHROMIUM

pytest.importorskip("playwright.sync_api", reason="NO BROWSER TEST: Playwright is not installed")
from dl_architectures.nlp_tool.testing import (
    DESKTOP,
    EMBEDDED,
    PHONE,
    SUMMARISED,
    Server,
    go,
    open_browser,
    press,
    see,
    see_figures,
    tab,
    walk,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER TEST: no Chromium is installed (apt install chromium)"),
]
FAKE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from fake_tool import FakeTool
from dl_architectures.nlp_tool.options import PageOptions
from dl_architectures.nlp_tool.serve import serve
options = PageOptions(port=int(sys.argv[3]), database=sys.argv[5], browser=False)
serve(options, lambda: FakeTool(says="<img src=x onerror='window.hacked=1'> **they** lived"))
"""
AT_ONCE = {
    "Next word": "50.0 %",
    "Text generation": "they",
    "Sentiment": "Positive",
    "Question answering": "Score: 75.0 %",
    "Summary": "read in 2 parts",
    "Image generation": "8 x 8 pixels",
    "Chat": "**they** lived",
}
"""What the tool says that answers at once."""


def fake_server(folder):
    """The page with the tool that answers at once."""
    return Server(folder, program=("-c", FAKE))


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


def test_seven_tasks_feedback_and_evaluation_through_a_kill_of_the_server(browser, tmp_path):
    errors, asked = [], set()
    with fake_server(tmp_path) as server:
        page = tab(browser, **DESKTOP)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.add(request.url))
        page.goto(server.url)
        walk(page, AT_ONCE)
        page.get_by_role("radio", name="Thumbs down").click()
        see(page, "Saved, with question and answer.")
        press(page, "Comment")
        page.get_by_label("What was good or bad about it?").fill("too <i>long</i>")
        page.get_by_role("button", name="Send", exact=True).click()
        see(page, "Saved, with your comment.")
        server.kill()
    with fake_server(tmp_path) as server:
        page.goto(server.url)
        go(page, "Evaluation")
        see(page, "Worst answers")
        see_figures(page, "7", "1", "0.0 %")
        go(page, "Feedback")
        see(page, "too <i>long</i>")
        with page.expect_download() as download:
            press(page, "Save as CSV")
        assert "too <i>long</i>" in Path(download.value.path()).read_text()
        go(page, "Models")
        see(page, "In memory")
        assert page.evaluate("window.hacked") is None
        assert errors == []
        hosts = {urlsplit(url).hostname for url in asked if url.startswith("http")}
        assert hosts == {"localhost"}  # nothing is fetched from another machine


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, tmp_path):
    wide = []
    with fake_server(tmp_path) as server:
        page = tab(browser, **PHONE, color_scheme="dark")
        page.goto(server.url)

        def measure(name):
            if page.get_by_role("main").evaluate("main => main.scrollWidth") > 390:
                wide.append(name)

        walk(page, AT_ONCE, check=measure)
        for name in ("Feedback", "Evaluation", "Models"):
            go(page, name)
            measure(name)
        assert wide == []
        dark = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
        assert dark == "rgb(18, 24, 31)"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder of models, untrained, with the title of the one for each page."""
    import nlp_tools  # takes seconds, which the other tests do not need

    root = tmp_path_factory.mktemp("models")
    language = nlp_tools.save_language_model(root / "tiny-language", longest=256)
    return root, {
        "Next word": language,
        "Text generation": language,
        "Chat": language,
        "Sentiment": nlp_tools.save_classifier(root / "tiny-classifier"),
        "Question answering": nlp_tools.save_question_reader(root / "tiny-reader"),
        "Summary": nlp_tools.save_summariser(root / "tiny-summariser"),
        "Image generation": nlp_tools.save_painter(root / "tiny-painter"),
    }


def test_seven_tasks_with_models_of_a_folder(browser, tmp_path, tiny):
    root, models = tiny
    with Server(tmp_path, root) as server:
        page = tab(browser, **DESKTOP)
        page.goto(server.url)

        def choose(name):
            page.get_by_test_id("stSelectbox").first.get_by_role("combobox").click()
            page.get_by_role("option", name=models[name].name, exact=True).click()
            see(page, "not stated")  # its licence, so it is chosen

        answers = dict.fromkeys(("Text generation", "Chat"), "Answered in")
        answers |= {"Next word": re.compile(r"\d %"), "Sentiment": re.compile("Positive|Negative")}
        answers |= {"Question answering": re.compile("Score|Not in the text"), "Summary": SUMMARISED}
        walk(page, answers | {"Image generation": "16 x 16 pixels"}, begin=choose)
        go(page, "Models")
        for name in ("tiny-language", "tiny-painter"):
            see(page, f"{root / name}:")  # in memory


def test_seven_tasks_with_nothing_but_the_package_and_what_somebody_thinks_of_them(browser, tmp_path):
    missing = [model.id for model in LocalTool().models() if model.source == "embedded" and not model.ready]
    if missing:
        pytest.skip(f"NO BROWSER TEST of the embedded models: the package lacks {', '.join(missing)}")
    with Server(tmp_path, tmp_path / "none") as server:
        page = tab(browser, **DESKTOP)
        page.goto(server.url)
        thumbs = itertools.cycle(("up", "down"))

        def rate(name):
            page.get_by_role("radio", name=f"Thumbs {next(thumbs)}").last.click()
            see(page, "Saved, with question and answer.")

        walk(page, EMBEDDED, check=rate)
        go(page, "Evaluation")
        see_figures(page, "7", "7", "57.1 %")
