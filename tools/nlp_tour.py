"""The demo's part of dl-nlp-tool: the page served, its seven tasks asked in a browser, a picture of each answer.

    python tools/nlp_tour.py FOLDER

The Python is that of dl-architectures' environment. The server keeps feedback in a temporary folder, so nobody's own is
touched.
"""

import argparse
import itertools
import sys
import tempfile
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Error, Page, expect

from dl_architectures.nlp_tool.testing import (
    EMBEDDED,
    PHONE,
    Server,
    go,
    open_browser,
    see,
    see_figures,
    tab,
    walk,
)

TALL = {"viewport": {"width": 1280, "height": 1200}}  # pixels: a whole answer, with the question above it


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the pictures")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as kept, Server(Path(kept)) as server, open_browser() as browser:
        try:
            tour(tab(browser, **TALL), server.url, folder)
            on_a_phone(tab(browser, **PHONE, color_scheme="dark"), server.url, folder)
        except Error as error:
            print(f"the page did not show what it should: {' '.join(str(error).split())[:200]}", file=sys.stderr)
            return 1
    print(f"{len(EMBEDDED)} of {len(EMBEDDED)} answered")
    return 0


def tour(page: Page, url: str, folder: Path) -> None:
    """Ask and rate each task, and look at what the page says of that."""
    numbers = itertools.count(1)
    thumbs = itertools.cycle(("up", "down"))

    def keep(name: str) -> None:
        page.get_by_role("radio", name=f"Thumbs {next(thumbs)}").last.click()
        see(page, "Saved, with question and answer.")
        take(page, folder / f"{next(numbers)}.png", f"{name}, answered by what is in the package.")

    page.goto(url)
    walk(page, EMBEDDED, check=keep)
    go(page, "Evaluation")
    see_figures(page, str(len(EMBEDDED)), str(len(EMBEDDED)))
    take(page, folder / f"{next(numbers)}.png", "The evaluation of these answers.")


def on_a_phone(page: Page, url: str, folder: Path) -> None:
    """The first page, small and dark."""
    page.goto(url)
    page.get_by_role("heading", level=1).wait_for()
    take(page, folder / "9.png", "On a phone, at night.")


def take(page: Page, path: Path, caption: str) -> None:
    """A picture of the window, with its caption in it."""
    page.mouse.move(0, 0)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)  # what stands where a chart or table is to come
    page.wait_for_timeout(500)  # milliseconds, in which what was just shown stops to move
    page.screenshot(path=path)
    with Image.open(path) as image:
        image.load()
    described = PngInfo()
    described.add_itxt("Description", caption)
    image.save(path, pnginfo=described)


if __name__ == "__main__":
    sys.exit(main())
