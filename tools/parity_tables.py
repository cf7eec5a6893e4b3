"""A table on the console, as Markdown and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from dl_shared.files import write_json, write_text
from dl_shared.tables import markdown_table


@dataclass(frozen=True)
class Table:
    """What was found, once for people and once for programs.

    Args:
        name: of its files.
        columns: their heads.
        rows: texts, as many as columns.
        notes: sentences below.
        records: the same in numbers.
    """

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]
    records: Sequence[dict[str, Any]]

    def show(self, console: Console) -> None:
        """Print it; at full width, whatever the terminal's is, as what is cut off could not be compared."""
        table = RichTable(*self.columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in self.rows:
            table.add_row(*row)
        console.width = max(console.width, console.measure(table, options=console.options.update(width=1000)).maximum)
        console.print(table)
        for note in self.notes:
            console.print(note, markup=False, highlight=False, soft_wrap=True)

    def markdown(self) -> str:
        """The table, and the notes below it."""
        return "\n".join([markdown_table(self.columns, self.rows), *(f"{note}\n" for note in self.notes)])

    def write(self, folder: Path) -> None:
        """NAME.md and NAME.json; what is no number there is null."""
        records = [{name: _finite(value) for name, value in record.items()} for record in self.records]
        write_text(folder / f"{self.name}.md", self.markdown())
        write_json(folder / f"{self.name}.json", records)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
