"""A comparison as Markdown, for a README."""

import re
from collections.abc import Sequence

from dl_shared.report.ranking import Ranking, Task
from dl_shared.report.render import words

# What could begin markup in a cell; Markdown takes a backslash before any of them for the character itself.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|#&~$])")


def as_markdown(title: str, tasks: Sequence[Task], reading: Sequence[str]) -> str:
    """The tables of a comparison page. They link to no run, because runs are seldom kept where READMEs are.

    Args:
        title: above all.
        tasks: as `ranking.rank` returns them.
        reading: sentences on how the figures are to be read.
    """
    blocks = [f"## {_literal(title)}"]
    for task in tasks:
        better = "higher" if task.higher_is_better else "lower"
        blocks.append(f"### {_literal(task.name)}, by {_literal(words(task.metric))} ({better} is better)")
        if task.warning:
            blocks.append(f"> {_literal(task.warning)}")
        for ranking in task.rankings:
            alike = f"; {_literal(ranking.alike)}" if ranking.alike else ""
            blocks += [f"On {_literal(ranking.data)}{alike}:", _table(ranking)]
    return "\n\n".join([*blocks, *map(_literal, reading)]) + "\n"


def _table(ranking: Ranking) -> str:
    rows = [
        ["run", *(column.title for column in ranking.columns)],
        ["---", *("---:" if column.numeric else "---" for column in ranking.columns)],
    ]
    for number, run in enumerate(ranking.runs):
        name = _literal(ranking.labels[run.path])
        shown = f"**{name}**" if run is ranking.best else name
        if run.status != "finished":
            shown += f" ({_literal(run.status)})"
        cells = [column.cells[number] for column in ranking.columns]
        rows.append(
            [shown, *(_literal(f"{cell.text} ({cell.beside})" if cell.beside else cell.text) for cell in cells)]
        )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _literal(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
