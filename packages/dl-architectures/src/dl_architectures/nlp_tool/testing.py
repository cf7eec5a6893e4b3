"""The page in a real browser, for its tests and for the demo: a server, and somebody who asks all seven tasks."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from dl_shared.testing import CHROMIUM

PATIENCE = 120_000  # milliseconds; others may use the machine, and a model is loaded by who asks it first
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
    "user_agent": "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140 Mobile",
}

PAGES = {
    "Next word": ("To be or not to", ["Text"], "Show next words"),
    "Text generation": ("The king said", ["Beginning"], "Continue"),
    "Sentiment": ("A warm and funny", ["Text"], "Judge"),
    "Question answering": ("Until when did", ["Text to search", "Question"], "Find the answer"),
    "Summary": ("Bees dance", ["Text"], "Summarise"),
    "Image generation": ("a sneaker", ["Prompt"], "Draw"),
}
"""Of the pages that show one answer: an example to click, the fields that it fills, and the button that asks."""
SUMMARISED = re.compile(r"\d of [\d,]+ characters")
EMBEDDED = {
    "Next word": re.compile(r"\d %"),
    "Text generation": re.compile(r"\d+ tokens, seed \d+"),
    "Sentiment": "Positive",
    "Chat": "Answered in",
    "Question answering": re.compile("^1961$"),
    "Summary": SUMMARISED,
    "Image generation": "32 x 32 pixels",
}
"""What can be read in the answers of the package's own models."""

Words = str | re.Pattern[str]


class Server:
    """The page, at a free port, to be killed and started again.

    Args:
        folder: of its database, and of all that it would otherwise find in the user's folders.
        models: a folder for `--models-dir`.
        program: arguments of Python that start it, for another than the command as it is.
    """

    def __init__(
        self, folder: Path, models: Path | None = None, program: Sequence[str] = ("-m", "dl_architectures.nlp_tool.cli")
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        database = f"sqlite:///{folder / 'feedback.sqlite3'}"
        options = ["--no-browser", "--port", str(self.port), "--database", database]
        self.command = [sys.executable, *program, *options, *(["--models-dir", str(models)] if models else [])]
        self.environment = os.environ | {"XDG_DATA_HOME": str(folder), "HF_HOME": str(folder / "hub")}

    def __enter__(self) -> "Server":
        self.process = subprocess.Popen(self.command, env=self.environment)
        while not self._healthy():
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with status {self.process.returncode}")
            time.sleep(0.1)
        return self

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=5) as answer:  # noqa: S310
                return answer.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __exit__(self, *_: object) -> None:
        self.kill()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """The Chromium of this machine."""
    with sync_playwright() as started:
        expect.set_options(timeout=PATIENCE)
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


def tab(browser: Browser, **options: Any) -> Page:
    """An empty page of a browser of its own."""
    page = browser.new_page(**options)
    page.set_default_timeout(PATIENCE)
    return page


def go(page: Page, name: str) -> None:
    """Follow the link of the side bar, which a phone hides."""
    page.get_by_role("heading", level=1).wait_for()
    if page.get_by_role("heading", name=name, level=1).is_visible():
        return
    size = page.viewport_size
    if size is not None and size["width"] < 600:
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def press(page: Page, name: Words) -> None:
    """Click the first button of this name."""
    page.get_by_role("main").get_by_role("button", name=name).first.click()


def take_example(page: Page, example: str, fields: Sequence[str]) -> None:
    """Have fields filled that are there, and wait until they are and the server has nothing more to send."""
    boxes = [page.get_by_role("main").get_by_role("textbox", name=field, exact=True) for field in fields]
    for box in boxes:
        box.wait_for()
    press(page, re.compile(re.escape(example)))
    for box in boxes:
        expect(box).to_have_value(re.compile(".+"))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def see(page: Page, text: Words) -> None:
    """Wait until this can be read."""
    expect(page.get_by_role("main").get_by_text(text).first).to_be_visible()


def see_figures(page: Page, *values: str) -> None:
    """Wait for the first figures of the evaluation: answers, ratings, share of thumbs up."""
    for place, value in enumerate(values):
        expect(page.get_by_test_id("stMetricValue").nth(place)).to_have_text(value)


def nothing(name: str) -> None:
    """To be done on a page."""


def walk(
    page: Page,
    answers: Mapping[str, Words],
    *,
    begin: Callable[[str], None] = nothing,
    check: Callable[[str], None] = nothing,
) -> None:
    """Ask each of the seven tasks.

    Args:
        page: of the browser.
        answers: something that can be read in the answer of each page.
        begin: called with the name of each page when it is open.
        check: called with the name of each page that shows its answer.
    """
    for name, (example, fields, button) in PAGES.items():
        go(page, name)
        begin(name)
        take_example(page, example, fields)
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
