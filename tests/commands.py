"""The commands that READMEs show: those in blocks of code, and those within sentences and tables."""

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTIONS = [ROOT / "shared", *sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))]
PROJECTS = {path: tomllib.loads((path / "pyproject.toml").read_text())["project"] for path in DISTRIBUTIONS}
SCRIPTS = {name: entry for project in PROJECTS.values() for name, entry in project["scripts"].items()}
"""What each console script stands for: `module:function`."""
OURS = {entry.partition(".")[0] for entry in SCRIPTS.values()}

LAUNCHERS = {"python", "python3", "python3.11", "accelerate", "torchrun", "srun"}
INSTALLERS = {"pip", "nox"}

FENCED = re.compile(r"^ *```([^\n`]*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
IN_A_SENTENCE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Command:
    """A command as a page shows it.

    Attributes:
        page: which.
        words: of it; the first is the program, without a folder before it.
        block: whether it stands in a block of code.
    """

    page: Path
    words: tuple[str, ...]
    block: bool

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}: {shlex.join(self.words)}"

    @property
    def started(self) -> tuple[str, list[str]] | None:
        """What it starts of ours, itself or through a launcher, and the arguments; None if that is nothing.

        It is `module:function` of a console script, or the module of `python -m module`.
        """
        for place, word in enumerate(self.words if self.words[0] in LAUNCHERS else self.words[:1]):
            if word in SCRIPTS:
                return SCRIPTS[word], list(self.words[place + 1 :])
            if self.words[place - 1] == "-m" and word.partition(".")[0] in OURS:
                return word, list(self.words[place + 1 :])
        return None


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository."""
    listing = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listing.stdout.split("\0") if name]


def commands_of(page: Path) -> Iterator[Command]:
    """All commands of a page, once each, in its order. Blocks of code that name no language are commands."""
    text = page.read_text()
    found: dict[tuple[str, ...], bool] = {}
    for language, block in FENCED.findall(text):
        for line in block.replace("\\\n", " ").splitlines() if not language else ():
            found |= dict.fromkeys(commands_in(shlex.split(line, comments=True)), True)
    for span in IN_A_SENTENCE.findall(FENCED.sub("", text)):
        if " " in span.strip() and Path(span.split()[0]).name in SCRIPTS.keys() | LAUNCHERS | INSTALLERS:
            found = dict.fromkeys(commands_in(shlex.split(span)), False) | found
    for words, block in found.items():
        yield Command(page, words, block)


def commands_in(line: list[str]) -> Iterator[tuple[str, ...]]:
    """Those that a line chains by `&&`, without the variables set before them; and what one hands to another."""
    words: list[str] = []
    for word in [*line, "&&"]:
        if word != "&&":
            if words or not re.match(r"\w+=", word):
                words.append(word)
            continue
        if words:
            yield (Path(words[0]).name, *(word for word in words[1:] if word != "..."))
        for handed in words[1:]:
            if " " in handed and Path(handed.split()[0]).name in SCRIPTS:
                yield from commands_in(handed.split())
        words = []
