"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int | None = None) -> str:
    """A table; what looks like markup in a cell stays so, but for `|`, which would end the cell.

    Args:
        columns: headings.
        rows: as many cells as there are columns.
        left: how many columns are flush left, the others being numbers; all unless given.
    """
    rules = ["---" if left is None or number < left else "---:" for number in range(len(columns))]
    lines = (" | ".join(cell.replace("|", r"\|") for cell in line) for line in (columns, rules, *rows))
    return "".join(f"| {line} |\n" for line in lines)
