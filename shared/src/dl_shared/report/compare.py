"""Many runs as one page: one section for each task, best run first."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any
from urllib.parse import quote

from dl_shared.errors import InputError
from dl_shared.plots import comparison
from dl_shared.report.record import Picture, RunRecord, as_number, read_record
from dl_shared.report.render import NOTHING, embed, plain, score, seconds, sentence, words, write_html

_MISSING = object()


def write_comparison(paths: Sequence[Path], output: Path) -> Path:
    """Write the comparison page of several runs, linked to the page that each run has of its own.

    Args:
        paths: run directories, of one task or of many, finished or not.
        output: where the page goes.

    Returns:
        `output`.

    Raises:
        InputError: if there is no run, or one of them cannot be read.
    """
    if not paths:
        raise InputError("there is no run to compare")
    output = Path(output).absolute()
    records = [read_record(path) for path in dict.fromkeys(Path(path).absolute() for path in paths)]
    tasks: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        tasks.setdefault((plain(record.summary.get("task")), record.metric), []).append(record)
    return write_html(
        output,
        "comparison.html.j2",
        title=f"{len(records)} runs compared" if len(records) > 1 else "1 run compared",
        tasks=[_task(name, runs, output.parent) for (name, _), runs in sorted(tasks.items())],
        notes=[note for record in records for note in record.notes],
    )


@dataclass(frozen=True)
class Row:
    """One run in the table of its task."""

    label: str
    link: str | None
    run: RunRecord
    best: bool


def _task(name: str, runs: list[RunRecord], folder: Path) -> dict[str, Any]:
    ranked = sorted(runs, key=_rank)
    labels = _labels(ranked)
    measured = [run for run in ranked if run.score("test") is not None]
    comparable = len({run.fingerprint for run in measured}) < 2
    best = measured[0] if comparable and len(measured) > 1 else None
    return {
        "name": name,
        "metric": ranked[0].metric,
        "higher_is_better": ranked[0].higher_is_better,
        "rows": [Row(labels[run.path], _link(run, folder), run, run is best) for run in ranked],
        "comparable": comparable,
        "warnings": _warnings(ranked, comparable),
        "seeds": _over_seeds(measured),
        "pictures": _pictures(ranked, labels),
        "differences": _differences(ranked),
        "labels": [labels[run.path] for run in ranked],
    }


def _rank(run: RunRecord) -> tuple[bool, float, str]:
    """Best first; runs without a test score come last, oldest first."""
    result = run.score("test")
    if result is None:
        return True, 0.0, run.path.name
    return False, -result if run.higher_is_better else result, run.path.name


def _labels(runs: Sequence[RunRecord]) -> dict[Path, str]:
    """The project's name where that is enough, and as much of the run's as is needed to tell it apart."""
    projects = Counter(run.project for run in runs)
    short = Counter((run.project, run.path.name.rpartition("-")[2]) for run in runs)
    labels = {}
    for run in runs:
        tail = run.path.name.rpartition("-")[2]
        if projects[run.project] == 1:
            labels[run.path] = run.project
        else:
            labels[run.path] = f"{run.project} {tail if short[run.project, tail] == 1 else run.path}"
    return labels


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


def _warnings(runs: Sequence[RunRecord], comparable: bool) -> list[str]:
    warnings = []
    if not comparable:
        warnings.append(
            "These runs were not scored on the same data (their fingerprints differ), so their results cannot be "
            "compared with one another. No run is marked as best."
        )
    measured = [run for run in runs if run.score("test") is not None]
    if len(measured) > 1 and len(_groups(measured)) == len(measured):
        warnings.append(
            "Each configuration was run with a single seed. The intervals cover the choice of test examples only, "
            "not the luck of the seed: repeat with other seeds before calling a small difference real."
        )
    if len({run.metric for run in runs}) == 1 and len({run.higher_is_better for run in runs}) > 1:
        warnings.append("These runs disagree on whether the metric should rise or fall.")
    return warnings


def _groups(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Runs that differ in nothing but their seed."""
    groups: dict[str, list[RunRecord]] = {}
    for run in runs:
        options = {name: value for name, value in run.config.items() if name != "seed"}
        # A run whose options are unknown is alike to none.
        key = repr((run.project, sorted(options.items()))) if options else str(run.path)
        groups.setdefault(f"{key} {run.fingerprint}", []).append(run)
    return list(groups.values())


def _over_seeds(runs: Sequence[RunRecord]) -> list[dict[str, str]]:
    rows = []
    for group in _groups(runs):
        results = [result for run in group if (result := run.score("test")) is not None]
        if len(results) > 1:
            rows.append(
                {
                    "project": group[0].project,
                    "seeds": ", ".join(sorted({plain(run.summary.get("seed")) for run in group})),
                    "mean": score(mean(results)),
                    "spread": score(stdev(results)),
                    "range": f"{score(min(results))} to {score(max(results))}",
                    "time": seconds(_mean_time(group)),
                }
            )
    return rows


def _mean_time(runs: Sequence[RunRecord]) -> float | None:
    times = [time for run in runs if (time := as_number(run.section("cost").get("train_seconds"))) is not None]
    return mean(times) if times else None


def _pictures(runs: Sequence[RunRecord], labels: dict[Path, str]) -> list[Picture]:
    entries = [
        comparison.Entry(labels[run.path], result, run.interval, as_number(run.section("cost").get("train_seconds")))
        for run in runs
        if (result := run.score("test")) is not None
    ]
    metric, rising = words(runs[0].metric), runs[0].higher_is_better
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
    followed = comparison.followed_metric([run.history for run in runs], runs[0].metric)
    if followed is not None:
        name, split = followed
        series = {labels[run.path]: points for run in runs if (points := comparison.curve(run.history, name, split))}
        title = f"{sentence(words(name))} while training"
        caption = f"{sentence(words(name))} on the {split} data, epoch by epoch."
        pictures.append(embed(comparison.curves(series, f"{split} {words(name)}", title), "curves", caption))
    return pictures


def _differences(runs: Sequence[RunRecord]) -> dict[str, Any]:
    """The options in which runs differ, the rarer values marked, and those they share."""
    names = dict.fromkeys(str(name) for run in runs for name in run.config)
    differing, shared = [], []
    for name in names:
        values = [run.config.get(name, _MISSING) for run in runs]
        texts = [NOTHING if value is _MISSING else plain(value) for value in values]
        if len(set(texts)) == 1:
            shared.append((name, texts[0]))
            continue
        usual, count = Counter(texts).most_common(1)[0]
        cells = [(text, text != usual or count == 1) for text in texts]
        differing.append((name, cells))
    return {"differing": differing, "shared": shared}
