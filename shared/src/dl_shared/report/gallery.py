"""A page of its own for what is no run: data explored, models compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dl_shared.report.record import Picture
from dl_shared.report.render import Table, write_html


@dataclass(frozen=True)
class Section:
    """A heading, and what stands under it."""

    title: str
    text: tuple[str, ...] = ()
    """Paragraphs."""
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()


def write_gallery(path: Path, title: str, subtitle: str, sections: Sequence[Section]) -> Path:
    """Write the page, which needs no other file; returns its path."""
    return write_html(path, "gallery.html.j2", title=title, subtitle=subtitle, sections=sections)
