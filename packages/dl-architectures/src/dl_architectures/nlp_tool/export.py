"""Rated answers as CSV, for a spreadsheet, and as JSON Lines, for a program."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

Format = Literal["csv", "jsonl"]

COLUMNS = (
    "answer_id",
    "created_at",
    "rated_at",
    "task",
    "model",
    "outcome",
    "seconds",
    "first_seconds",
    "rating",
    "comment",
    "prompt",
    "answer",
)
# A spreadsheet takes a cell that begins with one of these for a formula, which may call a program or send the others
# away (OWASP, "CSV Injection"). Full-width signs are taken for their narrow ones in some languages.
_FORMULA = tuple("=+-@\t\r＝＋－＠")


def to_csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of CSV with a header. A text that a spreadsheet would run is preceded by an apostrophe."""
    yield _csv_line(COLUMNS)
    for row in rows:
        yield _csv_line(_harmless(_plain(row[name])) for name in COLUMNS)


def to_jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of JSON, texts exactly as they are kept."""
    for row in rows:
        yield json.dumps({name: _plain(row[name]) for name in COLUMNS}, ensure_ascii=False) + "\n"


FORMATS: dict[Format, Callable[[Iterable[Mapping[str, Any]]], Iterator[str]]] = {"csv": to_csv, "jsonl": to_jsonl}
ENCODINGS: dict[Format, str] = {"csv": "utf-8-sig", "jsonl": "utf-8"}  # without the mark, Excel reads no UTF-8


def _csv_line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return line.getvalue()


def _plain(value: Any) -> Any:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _harmless(value: Any) -> Any:
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA)):
        return f"'{value}"
    return value
