"""Model cards, written by the command that made the model, with the figures that it measured."""

import dataclasses
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dl_shared.files import write_text

WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row of the card's table."""

    name: str
    value: float
    interval: Sequence[float] | None = None
    """Of 95 %."""
    beside: float | None = None
    """The same of the baseline."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a reader should know of a model before using it. Texts are Markdown."""

    title: str
    metadata: Mapping[str, str]
    """The front matter: `license`, `pipeline_tag`, `library_name`, ..."""
    about: str
    """What it is, and how it works."""
    data: str
    """What it learned from, on what terms; without paths of a machine."""
    command: str
    made: str
    """How the command went: duration, what was chosen."""
    libraries: Sequence[str]
    """Whose versions matter."""
    measured_on: str
    """What the figures were measured on, such as `3,998 test reviews`."""
    baseline: str
    """What stands in the table's column beside the model; empty for no such column."""
    figures: Sequence[Figure]
    limits: str
    examples: str = ""
    """What it writes or draws, if anything."""


def write_card(folder: Path, card: Card, versions: Mapping[str, str]) -> None:
    """Write README.md.

    Args:
        folder: of the model.
        card: what to say.
        versions: of the run's summary.
    """
    named = ", ".join(f"{name} {versions[name]}" for name in ("python", *card.libraries) if name in versions)
    front = "\n".join(f"{name}: {value}" for name, value in card.metadata.items())
    sections = [
        f"---\n{front}\n---",
        f"# {card.title}",
        _filled(card.about),
        _filled(f"**Data.** {card.data}"),
        "**How it was made.**",
        f"```\n{card.command}\n```",
        _filled(f"{card.made} {named[:1].upper()}{named[1:]}."),
        _filled(f"**How good it is**, on {card.measured_on}, with the weights of this folder:"),
        _table(card),
        *([f"**Examples.**\n\n{card.examples}"] if card.examples else []),
        _filled(f"**Limits.** {card.limits}"),
    ]
    write_text(folder / "README.md", "\n\n".join(sections) + "\n")


def command(module: str, config: Any, default: Any) -> str:
    """What to type for a model like this: options that differ from the default, without paths of this machine."""
    flags: list[str] = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in ("data", "output") or value == getattr(default, field.name):
            continue
        values = value if isinstance(value, tuple) else (value,)
        flags += [f"--{field.name.replace('_', '-')}", *map(str, values)]
    data = config.data if config.data in ("sample", "hub") else "PATH"
    return shlex.join(["python", "-m", module, "train", "--data", data, "--output", "FOLDER", *flags])


def _filled(paragraph: str) -> str:
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)


def _table(card: Card) -> str:
    intervals = any(figure.interval is not None for figure in card.figures)
    head = ["", "this model", *(["95 % interval"] if intervals else []), *([card.baseline] if card.baseline else [])]
    rows = [head, ["---"] * len(head)]
    for figure in card.figures:
        row = [figure.name, _number(figure.value)]
        if intervals:
            row.append("" if figure.interval is None else " to ".join(map(_number, figure.interval)))
        if card.baseline:
            row.append("" if figure.beside is None else _number(figure.beside))
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
