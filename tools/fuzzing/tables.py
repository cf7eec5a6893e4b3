"""Tables and texts made wrong by hypothesis: other cells, columns, rows, separators, line ends and encodings."""

import csv
import gzip
import io
from typing import Any

from hypothesis import strategies as st

from fuzzing.damage import LARGEST, Files, damage
from fuzzing.source import Source

ODD_CELLS = (
    *("", " ", "nan", "NaN", "NA", "null", "None", "-", "inf", "-inf", "-1", "0", "-0.0", "1e308", "1e-320", "1e999"),
    *("9" * 30, "9" * 400, "0x10", "1_000", "1,5", "٣", "²", "1/0", "true", "positive", "neg", "-1.0", "2.5"),
    *("2020-02-30", "0000-00-00", "0001-01-01", "9999-12-31", "10000-01-01", "31/02/2020", "13/13/2020", "1/2/2020"),
    *("2020-01-02 25:00", "2020-06-05T14:30:00+99:99", "2020-06-05 10:30:00-04:00", "1e9", "2020", "20200102"),
    *('"', '""', "'", ",", ";", "\t", "\n", "\r", "a\nb", "\0", "\x1b[2J", "\ufeff", "\u2028", "\u202e", "\ud7ff"),
    *("x" * 200, "word " * 2000, "=1+1", "$x_{$", "<b>", "e\u0301", "\U0001f600"),
)
HEADERS = (
    *("", "date", "Date", "DATE ", "datetime", "title", "headline", "stock", "ticker", "Symbol", "Name", "text"),
    *("label", "review", "sentiment", "close", "Close", "Adj Close", "adj_close", "volume", "Id", "SalePrice", "\x1b"),
)
CELLS = st.one_of(
    st.sampled_from(ODD_CELLS),
    st.text(max_size=20),
    st.floats().map(repr),
    st.integers().map(str),
    st.dates().map(str),
    st.datetimes(timezones=st.none()).map(str),
)
_WHERE = st.integers(0, 1 << 20)
_EDITS = st.one_of(
    st.tuples(st.just("cell"), _WHERE, _WHERE, CELLS),
    st.tuples(st.just("cell"), _WHERE, _WHERE, CELLS),
    st.tuples(st.just("column"), _WHERE, _WHERE, CELLS),
    st.tuples(st.just("header"), st.just(0), _WHERE, st.sampled_from(HEADERS) | st.text(max_size=8)),
    st.tuples(st.just("row"), _WHERE, _WHERE, st.text(max_size=60)),
    st.tuples(
        st.sampled_from(
            ("drop row", "drop column", "swap rows", "swap columns", "double row", "double column", "more")
        ),
        _WHERE,
        _WHERE,
        st.just(""),
    ),
)
_WRITING = st.fixed_dictionaries(
    {
        "separator": st.sampled_from(",,,,,,,,,,;\t|"),
        "end": st.sampled_from(("\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "")),
        "quoted": st.sampled_from((True, True, True, False)),
        "encoding": st.sampled_from(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "latin-1", "utf-32")),
    }
)
_RECIPES = st.tuples(st.lists(_EDITS, min_size=1, max_size=4), _WRITING)
_TEXTS = st.tuples(
    st.text(max_size=200) | st.sampled_from(ODD_CELLS),
    _WHERE,
    st.sampled_from(("insert", "insert", "replace", "append", "alone", "long")),
    st.sampled_from(("utf-8",) * 8 + ("utf-8-sig", "utf-16", "utf-16-le", "latin-1", "utf-32")),
)


def by_cells(files: Files, source: Source) -> Files:
    """For tables: most often other cells, sometimes other bytes."""
    rng = source.rng
    name = rng.choice(sorted(files))
    if rng.random() < 0.2:
        return {**files, name: damage(files[name], rng)}
    edits, writing = source.draw(_RECIPES)
    packed = name.endswith(".gz")
    content = gzip.decompress(files[name]) if packed else files[name]
    rows = list(csv.reader(io.StringIO(content.decode())))
    for edit in edits:
        _apply(rows, *edit)
    written = _written(rows, **writing)
    return {**files, name: gzip.compress(written, compresslevel=1, mtime=0) if packed else written}


def _apply(rows: list[list[str]], kind: str, row: int, column: int, text: str) -> None:
    row = row % len(rows) if rows else 0
    width = len(rows[0]) if rows else 0
    if not width:
        return
    column, other = column % width, row % width
    if kind in ("cell", "header"):
        if column < len(rows[row]):
            rows[row][column] = text
    elif kind == "row":
        rows.insert(row, text.split(" "))
    elif kind == "drop row":
        del rows[row]
    elif kind == "swap rows":
        rows[row], rows[column % len(rows)] = rows[column % len(rows)], rows[row]
    elif kind == "double row":
        rows.insert(column % len(rows), list(rows[row]))
    elif kind == "more":
        rows += [list(rows[row]) for _ in range(column % 3000)]
    else:
        _apply_to_columns(rows, kind, column, other, text)


def _apply_to_columns(rows: list[list[str]], kind: str, column: int, other: int, text: str) -> None:
    for number, cells in enumerate(rows):
        if max(column, other) >= len(cells):
            continue
        if kind == "column" and number:
            cells[column] = text
        elif kind == "drop column":
            del cells[column]
        elif kind == "swap columns":
            cells[column], cells[other] = cells[other], cells[column]
        elif kind == "double column":
            cells.append(cells[column])


def _written(rows: list[list[str]], *, separator: str, end: str, quoted: bool, encoding: str) -> bytes:
    if quoted:
        text = io.StringIO()
        csv.writer(text, delimiter=separator, lineterminator=end or "\n").writerows(rows)
        return text.getvalue().encode(encoding, "replace")
    return "".join(separator.join(cells) + end for cells in rows).encode(encoding, "replace")


def by_letters(files: Files, source: Source) -> Files:
    """For plain text: other letters, encodings and lengths, sometimes other bytes."""
    rng = source.rng
    name = rng.choice(sorted(files))
    if rng.random() < 0.3:
        return {**files, name: damage(files[name], rng)}
    text, place, kind, encoding = source.draw(_TEXTS)
    old = files[name].decode()
    place %= len(old) + 1
    changed: dict[str, Any] = {
        "insert": old[:place] + text + old[place:],
        "replace": old[:place] + text + old[place + len(text) :],
        "append": old + text,
        "alone": text,
        "long": (text + old[:place])[:100] * 2000,
    }
    return {**files, name: changed[kind].encode(encoding, "replace")[:LARGEST]}
