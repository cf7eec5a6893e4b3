"""Runs in order: those that were scored on the same data in one ranking, and no others beside them."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from dl_shared.report.columns import Column, columns
from dl_shared.report.record import RunRecord, as_number
from dl_shared.report.render import NOTHING, plain, score, seconds, value_of

# What tells whether two runs learned from the same examples and were tested on the same: the data, and their cuts.
_SAME_DATA = ("fingerprint", "rows", "validation_from", "test_from", "horizon", "tickers")
_CONDITIONS = ("seed", "device", "precision")
_MISSING = object()


@dataclass(frozen=True)
class Ranking:
    """Runs on the same data, best first; those without a test score come last, oldest first."""

    runs: Sequence[RunRecord]
    labels: dict[Path, str]
    """What each run is called, so that it can be told from all others of its task."""

    @property
    def known(self) -> bool:
        """Whether the runs have recorded what data they are on."""
        return self.runs[0].fingerprint is not None

    @property
    def data(self) -> str:
        """What all were scored on, in words."""
        if not self.known:
            return "no data recorded"
        section = self.runs[0].section("data")
        rows = ", ".join(
            f"{part} {value_of(str(part), count)}" for part, count in self.runs[0].section("data", "rows").items()
        )
        return f"{plain(section.get('source'))}" + (f" ({rows})" if rows else "")

    @cached_property
    def measured(self) -> list[RunRecord]:
        """Those with a test score."""
        return [run for run in self.runs if run.score("test") is not None]

    @property
    def best(self) -> RunRecord | None:
        """The first of several."""
        return self.measured[0] if self.known and len(self.measured) > 1 else None

    @cached_property
    def columns(self) -> list[Column]:
        """The table, but for the names of the runs, and for what is said of all of them at once."""
        return [column for column in self._filled if column.title not in self._conditions]

    @property
    def alike(self) -> str:
        """The conditions that all runs share, in words."""
        return ", ".join(f"{title} {text}" for title, text in self._conditions.items())

    @cached_property
    def _filled(self) -> list[Column]:
        return columns(self.runs)

    @cached_property
    def _conditions(self) -> dict[str, str]:
        texts = {column.title: {cell.text for cell in column.cells} for column in self._filled}
        return {title: text for title in _CONDITIONS for text in texts.get(title, ()) if len(texts[title]) == 1}

    @property
    def disagree(self) -> bool:
        """Whether the runs differ in the direction of their metric, so that their order means nothing."""
        return len({run.higher_is_better for run in self.runs}) > 1

    @property
    def single_seeds(self) -> bool:
        """Whether each of several configurations was run once."""
        return len(self.measured) > 1 and len(_alike(self.measured)) == len(self.measured)

    @property
    def over_seeds(self) -> list[dict[str, str]]:
        """Mean and spread of runs that differ in nothing but their seed."""
        rows = []
        for group in _alike(self.measured):
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

    @property
    def differences(self) -> dict[str, Any]:
        """The options in which runs differ, the rarer values marked, and those they share."""
        names = dict.fromkeys(str(name) for run in self.runs for name in run.config)
        differing, shared = [], []
        for name in names:
            values = [run.config.get(name, _MISSING) for run in self.runs]
            texts = [NOTHING if value is _MISSING else plain(value) for value in values]
            if len(set(texts)) == 1:
                shared.append((name, texts[0]))
                continue
            usual, count = Counter(texts).most_common(1)[0]
            cells = [(text, text != usual or count == 1) for text in texts]
            differing.append((name, cells))
        return {"differing": differing, "shared": shared}


@dataclass(frozen=True)
class Task:
    """The runs of a task that are decided by the same metric."""

    name: str
    metric: str
    higher_is_better: bool
    rankings: Sequence[Ranking]

    @property
    def warning(self) -> str | None:
        """What must be known before results are held against one another."""
        if sum(bool(ranking.measured) for ranking in self.rankings) < 2:
            return None
        return (
            "These runs were not scored on the same data (their fingerprints or splits differ): there is a table for "
            "each, and results of different tables cannot be compared."
        )


def rank(records: Sequence[RunRecord]) -> list[Task]:
    """Sort runs into tasks, and those of a task by data; the data with most runs come first."""
    tasks: dict[tuple[str, str], list[RunRecord]] = {}
    for record in records:
        tasks.setdefault((plain(record.summary.get("task")), record.metric), []).append(record)
    return [
        Task(name, metric, runs[0].higher_is_better, _rankings(runs)) for (name, metric), runs in sorted(tasks.items())
    ]


def _rankings(runs: Sequence[RunRecord]) -> list[Ranking]:
    labels = _labels(runs)
    groups: dict[str | None, list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(_data_of(run), []).append(run)
    rankings = [Ranking(sorted(group, key=_order), labels) for group in groups.values()]
    return sorted(rankings, key=lambda ranking: (not ranking.known, -len(ranking.runs), ranking.data))


def _data_of(run: RunRecord) -> str | None:
    if run.fingerprint is None:
        return None
    return json.dumps([run.section("data").get(name) for name in _SAME_DATA], sort_keys=True)


def _order(run: RunRecord) -> tuple[bool, float, str]:
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


def _alike(runs: Sequence[RunRecord]) -> list[list[RunRecord]]:
    """Runs that differ in nothing but their seed."""
    groups: dict[str, list[RunRecord]] = {}
    for run in runs:
        options = {name: value for name, value in run.config.items() if name != "seed"}
        # A run whose options are unknown is alike to none.
        key = repr((run.project, sorted(options.items()))) if options else str(run.path)
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def _mean_time(runs: Sequence[RunRecord]) -> float | None:
    times = [time for run in runs if (time := as_number(run.section("cost").get("train_seconds"))) is not None]
    return mean(times) if times else None
