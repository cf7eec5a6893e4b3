"""The page in a real browser, served as the command serves it, with a tool that answers at once."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="NO BROWSER TEST: Playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER TEST: no Chromium is installed (apt install chromium)"),
]
PATIENCE = 120_000  # milliseconds; other tests may run beside
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Mobile",
}
SERVER = """
import sys
from fake_tool import FakeTool
from dl_architectures.nlp_tool.options import PageOptions
from dl_architectures.nlp_tool.serve import serve
options = PageOptions(port=int(sys.argv[1]), database=sys.argv[2], browser=False)
serve(options, lambda: FakeTool(says="<img src=x onerror='window.hacked=1'> **they** lived"))
"""


class Server:
    """The page, at a free port, to be killed and started again."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self.command = [sys.executable, "-c", SERVER, str(self.port), f"sqlite:///{folder / 'feedback.sqlite3'}"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, cwd=Path(__file__).parent)
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


def walk(page, check):
    """Ask each of the seven tasks; `check` is called on every page with its answer."""
    for name, example, button, answer in (
        ("Next word", "To be or not to", "Show next words", "50.0 %"),
        ("Text generation", "The king said", "Continue", "they"),
        ("Sentiment", "A warm and funny", "Judge", "Positive"),
        ("Question answering", "Until when did", "Find the answer", "Score: 75.0 %"),
        ("Summary", "Bees dance", "Summarise", "read in 2 parts"),
        ("Image generation", "a sneaker", "Draw", "8 x 8 pixels"),
    ):
        go(page, name)
        press(page, re.compile(re.escape(example)))
        for field in page.get_by_role("main").get_by_role("textbox").all():
            playwright.expect(field).to_have_value(re.compile(".+"))  # a click before that sends what was there
        press(page, re.compile(re.escape(button)))
        see(page, answer)
        see(page, "Answered in")
        check(name)
    go(page, "Chat")
    page.get_by_test_id("stChatInputTextArea").fill("Hello <b>you</b>")
    page.get_by_test_id("stChatInputTextArea").press("Enter")
    see(page, "Hello <b>you</b>")
    see(page, "**they** lived")
    see(page, "Answered in")
    check("Chat")


def test_seven_tasks_feedback_and_evaluation_through_a_kill_of_the_server(browser, tmp_path):
    errors, asked = [], set()
    with Server(tmp_path) as server:
        page = tab(browser, viewport={"width": 1280, "height": 900})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: asked.add(request.url))
        page.goto(server.url)
        walk(page, lambda name: None)
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
        values = page.get_by_test_id("stMetricValue").all_inner_texts()
        assert values[:3] == ["7", "1", "0.0 %"]
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

        walk(page, measure)
        for name in ("Feedback", "Evaluation", "Models"):
            go(page, name)
            measure(name)
        assert wide == []
        dark = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
        assert dark == "rgb(18, 24, 31)"
