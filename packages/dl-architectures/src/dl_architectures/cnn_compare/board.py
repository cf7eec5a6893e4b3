"""How far the grid has come: a live table on a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dl_architectures.cnn_compare.config import FAILED, RESULT, Cell
from dl_shared.files import read_json
from dl_shared.progress import say
from dl_shared.runs import read_history

TABLE_SECONDS, LINE_SECONDS = 0.5, 15.0


class Board:
    """A context manager that shows the cells' state, as their folders tell it; `update` is cheap most of the time.

    Args:
        run: its directory.
        cells: of the grid.
    """

    def __init__(self, run: Path, cells: Sequence[Cell]) -> None:
        self.run, self.cells = run, cells
        self.begun = self.shown = self.counted = time.monotonic()
        self.done_at_first = self.done = self.finished()
        self.live: Any = None

    def __enter__(self) -> "Board":
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            self.live = Live(console=Console(stderr=True), get_renderable=self.table, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.refresh()
            self.live.stop()

    def update(self) -> None:
        """Show what has changed, if it is time."""
        now = time.monotonic()
        if now - self.shown < (LINE_SECONDS if self.live is None else TABLE_SECONDS):
            return
        self.shown = now
        if self.live is not None:
            self.live.refresh()
            return
        say(f"{self.finished()} of {len(self.cells)} cells are finished{self._left(now)}")

    def finished(self) -> int:
        return sum((self.run / cell.folder / RESULT).exists() for cell in self.cells)

    def _left(self, now: float) -> str:
        """In words, once a cell has been finished."""
        if (done := self.finished()) > self.done:
            self.done, self.counted = done, now
        new, left = done - self.done_at_first, len(self.cells) - done
        if not new or not left:
            return ""
        seconds = (self.counted - self.begun) / new * left - (now - self.counted)  # cells in progress are begun already
        return f", about {max(seconds, 0):.0f} s left"

    def table(self) -> Any:
        """A row for each network, a column for each data set; in each place the newest accuracy of every seed."""
        from rich.table import Table

        table = Table(title=f"{self.finished()} of {len(self.cells)} cells{self._left(time.monotonic())}")
        sets = list(dict.fromkeys(cell.dataset for cell in self.cells))
        for name in ("", *sets):
            table.add_column(name)
        for network in dict.fromkeys(cell.architecture for cell in self.cells):
            row: dict[str, list[str]] = {name: [] for name in sets}
            for cell in self.cells:
                if cell.architecture == network:
                    row[cell.dataset].append(self._state(cell))
            table.add_row(network, *(" ".join(row[name]) for name in sets))
        return table

    def _state(self, cell: Cell) -> str:
        folder = self.run / cell.folder
        if (folder / RESULT).exists():
            return f"[bold]{read_json(folder / RESULT)['test']['accuracy']:.3f}[/bold]"
        if (folder / FAILED).exists():
            return "[red]failed[/red]"
        rows = [row for row in read_history(folder) if row["split"] == "validation"] if folder.exists() else []
        return f"[dim]{rows[-1]['accuracy']:.3f}[/dim]" if rows else "[dim]-[/dim]"
