"""The same recipe in every framework: does each reach the test metric of the others?

Each project is run by its own console script on the sample data of its task. Then data, split and baseline must be the
same, and each metric must lie in the 95 % bootstrap interval of every other run. That is stricter than intervals that
overlap: two of equal width overlap until their centres are a whole width apart. What the intervals leave room for is
what the recipes cannot make equal: frameworks draw other initial weights and other batches from the same seed, and some
options have no counterpart in the others.

Projects with the same network are compared by all metrics, others by the deciding one alone. The interval of an error
in dollars is wide, as other days would have moved prices otherwise. That of skill, the share of persistence's error
that is saved, is narrow, as those days are common to both.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from parity_programs import FailedError, Programs
from parity_tables import Table

from dl_shared.errors import InputError
from dl_shared.report.record import RunRecord, as_interval, as_number, read_record

EVERYWHERE = "--data sample --preset quick --seed 0 --device cpu --precision fp32"


@dataclass(frozen=True)
class Recipe:
    """Projects that are to reach the same.

    Args:
        metrics: that are compared, the deciding one first.
        options: that all of them have.
        projects: `PACKAGE/PROJECT`, what its network is, and the options that only it has.
    """

    metrics: tuple[str, ...]
    options: str
    projects: Mapping[str, tuple[str, str]]


RECIPES = {
    "stocks": Recipe(
        ("mae", "skill"),
        "--lookback 32 --horizon 5 --epochs 8 --batch-size 32 --layers 1 --dropout 0 --learning-rate 0.01"
        " --weight-decay 0.01 --warmup 0.1 --stride 8",
        {
            # Two projects know the three columns by themselves, two by their groups.
            "lightning/lightning-stocks": ("LSTM", "--features standard_return standard_overnight volume --hidden 12"),
            "accelerate/accelerate-stocks": ("LSTM", "--features returns volume --hidden 12 --cell lstm"),
            "xla/xla-stocks": ("LSTM", "--features returns volume --hidden 12 --cell lstm"),
            "flax/flax-stocks": (
                "Transformer",
                "--features standard_return standard_overnight volume --normalization returns",
            ),
        },
    ),
}


@dataclass(frozen=True)
class Result:
    """What came of a project."""

    task: str
    project: str
    network: str
    run: RunRecord

    @property
    def data(self) -> tuple[Any, ...]:
        """What must be the same before anything is compared: prices or pictures, split, and the baseline's score."""
        section = self.run.section("data")
        return section.get("fingerprint"), section.get("rows"), self.run.score("baseline")

    def value(self, metric: str) -> float | None:
        return as_number(self.run.section("metrics", "test").get(metric))

    def interval(self, metric: str) -> tuple[float, float] | None:
        return as_interval(self.run.section("metrics", "test").get(f"{metric}_ci"))


def check(programs: Programs, folder: Path) -> tuple[Table, bool]:
    """Run every project by the recipe of its task; a table, and whether all reach the same."""
    results: list[Result] = []
    failures: dict[str, str] = {}
    for task, recipe in RECIPES.items():
        for name, (network, own) in recipe.projects.items():
            package, project = name.split("/")
            runs = folder / "runs" / project
            shutil.rmtree(runs, ignore_errors=True)
            options = f"{EVERYWHERE} {recipe.options} {own}".split()
            try:
                programs.run(package, project, "train", *options, "--runs-dir", runs.parent, log=project)
                (run,) = runs.iterdir()
                results.append(Result(task, project, network, read_record(run)))
            except (FailedError, InputError) as error:
                failures[project] = str(error)
    return tabulate(results, failures)


def tabulate(results: list[Result], failures: dict[str, str]) -> tuple[Table, bool]:
    """What each project reached, and whether it is what the others did, and none failed."""
    rows, records, notes = [], [], []
    for task in dict.fromkeys(result.task for result in results):
        found = [result for result in results if result.task == task]
        notes += disagreements(found, RECIPES[task].metrics)
        for result in found:
            shown = [_shown(result, metric) for metric in RECIPES[task].metrics]
            closed = result.run.gap_closed
            gap = "" if closed is None else f"{100 * closed:.1f} %"
            rows.append([task, result.project, result.network, "; ".join(shown), gap])
            records.append(_record(result, RECIPES[task].metrics))
    notes += [f"{project} failed: {reason}" for project, reason in failures.items()]
    records += [{"project": project, "failed": reason} for project, reason in failures.items()]
    agree = not notes
    if agree:
        notes = [
            "Data, split and baseline are the same. Each figure lies in the 95 % intervals of all runs of its network,"
            " and the first of a task in those of all others too."
        ]
    columns = ("task", "project", "network", "test, 95 % interval", "gap closed")
    return Table("metrics", columns, rows, notes, records), agree


def disagreements(results: list[Result], metrics: tuple[str, ...]) -> list[str]:
    """Sentences on what is not the same in runs of one task."""
    first, *others = results
    found = [
        f"{other.project} was run on other data than {first.project}, or split them otherwise"
        for other in others
        if other.data != first.data
    ]
    for one, other in permutations(results, 2):
        for metric in metrics if one.network == other.network else metrics[:1]:
            value, interval = one.value(metric), other.interval(metric)
            if value is None or interval is None:
                found.append(f"{metric} of {one.project}, or its interval of {other.project}, is missing")
            elif not interval[0] <= value <= interval[1]:
                found.append(f"{metric} of {one.project} lies outside of the interval of {other.project}")
    return found


def _shown(result: Result, metric: str) -> str:
    value, interval = result.value(metric), result.interval(metric)
    if value is None or interval is None:
        return f"{metric} missing"
    return f"{metric} {value:.4f}, {interval[0]:.4f} to {interval[1]:.4f}"


def _record(result: Result, metrics: tuple[str, ...]) -> dict[str, Any]:
    figures: dict[str, Any] = {metric: result.value(metric) for metric in metrics}
    figures |= {f"{metric}_ci": result.interval(metric) for metric in metrics}
    section = result.run.section("data")
    data = {name: section.get(name) for name in ("fingerprint", "rows")}
    return {"task": result.task, "project": result.project, "network": result.network, **figures} | {
        "gap_closed": result.run.gap_closed,
        "baseline": result.run.score("baseline"),
        "data": data,
    }
