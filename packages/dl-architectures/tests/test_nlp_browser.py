"""The page in a real browser: with a tool that answers at once, with tiny models, and with the embedded ones."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dl_architectures.nlp.tool import LocalTool
from dl_shared.testing import CHROMIUM

playwright = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TEST: Playwright is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER TEST: no Chromium is installed (apt install chromium)"),
]
PATIENCE = 120_000  # milliseconds; other tests may run beside, and a model is loaded by who asks it first
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Mobile",
}
FAKE = """
import sys
from fake_tool import FakeTool
from dl_architectures.nlp_tool.options import PageOptions
from dl_architectures.nlp_tool.serve import serve
options = PageOptions(port=int(sys.argv[1]), database=sys.argv[2], browser=False)
serve(options, lambda: FakeTool(says="<img src=x onerror='window.hacked=1'> **they** lived"))
"""


# Of the pages that show one answer: an example to click, and the button that asks.
PAGES = {
    "Next word": ("To be or not to", "Show next words"),
    "Text generation": ("The king said", "Continue"),
    "Sentiment": ("A warm and funny", "Judge"),
    "Question answering": ("Until when did", "Find the answer"),
    "Summary": ("Bees dance", "Summarise"),
    "Image generation": ("a sneaker", "Draw"),
}


class Server:
    """The page, at a free port, to be killed and started again.

    Args:
        folder: of its database.
        models: a folder for `--models-dir` of the command as it is; with none, the tool answers at once.
    """

    def __init__(self, folder, models=None):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        database = f"sqlite:///{folder / 'feedback.sqlite3'}"
        options = ["--no-browser", "--port", self.port, "--database", database, "--models-dir", models]
        tool = (
            ["-c", FAKE, self.port, database] if models is None else ["-m", "dl_architectures.nlp_tool.cli", *options]
        )
        self.command = [sys.executable, *map(str, tool)]
        self.environment = os.environ | {"XDG_DATA_HOME": str(folder), "HF_HOME": str(folder / "hub")}

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=Path(__file__).parent, env=self.environment)
        while not self._healthy():
            assert self.process.poll() is None
            time.sleep(0.1)
        return self

    def _healthy(self):
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __exit__(self, *_):
        self.kill()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        playwright.expect.set_options(timeout=PATIENCE)
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def tab(browser, **options):
    """An empty page of a browser of its own."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


def go(page, name):
    """Follow the link of the side bar, which a phone hides."""
    page.get_by_role("heading", level=1).wait_for()
    if page.get_by_role("heading", name=name, level=1).is_visible():
        return
    if page.viewport_size["width"] < 600:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def press(page, name):
    page.get_by_role("main").get_by_role("button", name=name).first.click()


def see(page, text):
    playwright.expect(page.get_by_role("main").get_by_text(text).first).to_be_visible()


def see_figures(page, *values):
    """Wait for the first figures of the evaluation: answers, ratings, share of thumbs up."""
    for place, value in enumerate(values):
        playwright.expect(page.get_by_test_id("stMetricValue").nth(place)).to_have_text(value)


def nothing(name):
    """To be done on a page."""


def walk(page, answers, *, begin=nothing, check=nothing):
    """Ask each of the seven tasks.

    Args:
        page: of the browser.
        answers: something that can be read in the answer of each page.
        begin: called with the name of each page when it is open.
        check: called with the name of each page that shows its answer.
    """
    for name, (example, button) in PAGES.items():
        go(page, name)
        begin(name)
        press(page, re.compile(re.escape(example)))
        for field in page.get_by_role("main").get_by_role("textbox").all():
            playwright.expect(field).to_have_value(re.compile(".+"))  # a click before that sends what was there
        press(page, re.compile(re.escape(button)))
        see(page, answers[name])
        see(page, "Answered in")
        check(name)
    go(page, "Chat")
    begin("Chat")
    page.get_by_test_id("stChatInputTextArea").fill("Hello <b>you</b>")
    page.get_by_test_id("stChatInputTextArea").press("Enter")
    see(page, "Hello <b>you</b>")
    see(page, answers["Chat"])
    see(page, "Answered in")
    check("Chat")


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
SUMMARISED = re.compile(r"\d of [\d,]+ characters")


def test_seven_tasks_feedback_and_evaluation_through_a_kill_of_the_server(browser, tmp_path):
    errors, asked = [], set()
    with Server(tmp_path) as server:
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
    with Server(tmp_path) as server:
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
    with Server(tmp_path) as server:
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

        answers = {
            "Next word": re.compile(r"\d %"),
            "Text generation": re.compile(r"\d+ tokens, seed \d+"),
            "Sentiment": "Positive",
            "Chat": "Answered in",
            "Question answering": re.compile("^1961$"),
            "Summary": SUMMARISED,
            "Image generation": "32 x 32 pixels",
        }
        walk(page, answers, check=rate)
        go(page, "Evaluation")
        see_figures(page, "7", "7", "57.1 %")
