"""Many runs as one page, and as Markdown: a section for each task, in it a ranking for each data set."""

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from dl_shared.errors import InputError
from dl_shared.files import write_text
from dl_shared.plots import comparison
from dl_shared.report.markdown import as_markdown
from dl_shared.report.ranking import Ranking, Task, rank
from dl_shared.report.record import Picture, RunRecord, as_number, read_pictures, read_record
from dl_shared.report.render import embed, score, sentence, with_script, words, write_html

READING = (
    "The result is that of the test data, with its 95 % interval. Intervals that overlap do not show that one run is "
    "better than another.",
    "Training is the time of the training alone, on the device that is named, with compilation where a project counts "
    "it apart; examples/s is its rate. Peak memory is that of the whole process, or of the accelerator where there is "
    "one.",
    "Lines of code are those of a project's model and training, and of what the projects of its package share, without "
    "blank lines, comments, docstrings, options, command line, comparisons and searches.",
)
ONE_SEED = (
    "Where each configuration was run with a single seed, the intervals cover the choice of test examples only, not "
    "the luck of the seed: repeat with other seeds before calling a small difference real."
)


def write_comparison(
    paths: Sequence[Path], output: Path, markdown: Path | None = None, shown: Path | None = None
) -> Path:
    """Write the comparison page of several runs, linked to the page that each run has of its own.

    Args:
        paths: run directories, of one task or of many, finished or not.
        output: where the page goes.
        markdown: where the same goes as Markdown, without the pictures; nowhere if not given.
        shown: a folder of more pictures, which is the heading above them.

    Returns:
        `output`.

    Raises:
        InputError: if there is no run, one of them cannot be read, or there is no such folder.
    """
    if not paths:
        raise InputError("there is no run to compare")
    if shown is not None and not shown.is_dir():
        raise InputError(f"{shown} is no folder of pictures")
    output = Path(output).absolute()
    more, trouble = ([], []) if shown is None else read_pictures(shown)
    records = [read_record(path) for path in dict.fromkeys(Path(path).absolute() for path in paths)]
    tasks = rank(records)
    title = f"{len(records)} runs compared" if len(records) > 1 else "1 run compared"
    single = any(ranking.single_seeds for task in tasks for ranking in task.rankings)
    reading = [*READING, *([ONE_SEED] if single else [])]
    if markdown is not None:
        write_text(Path(markdown), as_markdown(title, tasks, reading))
    return write_html(
        output,
        "comparison.html.j2",
        title=title,
        tasks=tasks,
        pictures=[[_pictures(task, ranking) for ranking in task.rankings] for task in tasks],
        links={run.path: _link(run, output.parent) for run in records},
        reading=reading,
        shown=shown and shown.resolve().name,
        more=more,
        notes=[*(note for record in records for note in record.notes), *trouble],
        **with_script("comparison.js"),
    )


def _link(run: RunRecord, folder: Path) -> str | None:
    """The address of the run's own page, relative so that the folder can be moved as a whole."""
    page = run.path / "report.html"
    if not page.is_file():
        return None
    try:
        relative = os.path.relpath(page, folder)
    except ValueError:  # another drive on Windows
        return page.as_uri()
    # "./" keeps a folder named like "javascript:..." from being read as a scheme.
    return "./" + quote(Path(relative).as_posix().encode("utf-8", "surrogateescape"))


def _pictures(task: Task, ranking: Ranking) -> list[Picture]:
    runs = ranking.runs
    entries = [
        comparison.Entry(
            ranking.labels[run.path], result, run.interval, as_number(run.section("cost").get("train_seconds"))
        )
        for run in runs
        if (result := run.score("test")) is not None
    ]
    metric, rising = words(task.metric), task.higher_is_better
    pictures = []
    if entries:
        baselines, optima = (
            [value for run in runs if (value := run.score(split)) is not None] for split in ("baseline", "optimum")
        )
        figure = comparison.scores(entries, metric, higher_is_better=rising, baselines=baselines, optima=optima)
        listed = "; ".join(f"{entry.label} {score(entry.result)}" for entry in entries)
        pictures.append(embed(figure, f"{metric} of each run", f"{sentence(metric)}, best first: {listed}."))
    if sum(entry.seconds is not None for entry in entries) > 1:
        figure = comparison.cost_against_quality(entries, metric, higher_is_better=rising)
        pictures.append(embed(figure, "cost against quality", f"What each run's {metric} cost in training time."))
    return [*pictures, *_curves(task, ranking)]


def _curves(task: Task, ranking: Ranking) -> list[Picture]:
    """The curves of all runs in one frame, where there are any."""
    followed = comparison.followed_metric([run.history for run in ranking.runs], task.metric)
    if followed is None:
        return []
    name, split = followed
    series = {ranking.labels[run.path]: comparison.curve(run.history, name, split) for run in ranking.runs}
    metric = words(name)
    caption = [f"{sentence(metric)} on the {split} data, epoch by epoch."]
    if name != task.metric:
        caption.append("Projects may differ in what their loss is, and in how long an epoch is.")
    if without := [label for label, points in series.items() if not points]:
        caption.append(f"Not logged by {', '.join(without)}.")
    title = f"{sentence(metric)} while training"
    return [embed(comparison.curves(series, f"{split} {metric}", title), "curves", " ".join(caption))]
