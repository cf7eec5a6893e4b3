"""What tests leave for a table, one JSON file each in the folder that `$DL_RECORDS` names; and the table."""

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dl_shared.files import read_json, write_json, write_text
from dl_shared.tables import markdown_table


def record(project: str, **values: Any) -> None:
    """Keep what a test has found of a project; nothing happens where nobody asked for records.

    Args:
        project: the console script's name.
        values: what JSON can hold.
    """
    if folder := os.environ.get("DL_RECORDS"):
        write_json(Path(folder) / f"{project}-{secrets.token_hex(4)}.json", {"project": project, **values})


def read_records(folder: Path) -> dict[str, list[Mapping[str, Any]]]:
    """All records below a folder, by project."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for file in sorted(folder.glob("*/*.json")):
        value = read_json(file)
        found.setdefault(value["project"], []).append(value)
    return found


def write_table(rows: Sequence[Mapping[str, Any]], output: Path, **more: Any) -> str:
    """Write rows as Markdown, which is returned, and as JSON beside it.

    Args:
        rows: the names of the columns and what stands in them.
        output: the Markdown file; the other ends in `.json`.
        more: what the JSON holds beside `rows`.
    """
    table = markdown_table(list(rows[0]), [[_cell(value) for value in row.values()] for row in rows])
    write_text(output, table)
    write_json(output.with_suffix(".json"), {"rows": rows, **more})
    return table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    return f"{value:,}" if isinstance(value, int) else str(value)
