"""The benchmarks of all packages, then one table: our loop, the textbook's, and the machine's peak. `nox -s bench`.

They run one after another in the packages' environments, each with a table of its own in its log. One that fails, or
whose environment cannot be built, ends no other. What was measured goes to a JSON file, a page of Markdown and a
picture; with --compare it stands beside what was measured before.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import bench_changes
import bench_results
from bench_picture import picture
from bench_results import Measured, Results, Row
from environments import Environments, clock, last_line
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dl_shared.errors import InputError
from dl_shared.files import atomic_path, write_text
from dl_shared.tables import markdown_table


@dataclass(frozen=True)
class Benchmark:
    """A script of benchmarks/.

    Args:
        package: in whose environment it runs.
        script: its name.
        project: what it measures.
        quick: options with which it takes seconds, and its figures mean little.
        options: those of a full run, which leave out what the table does not show, and take minutes.
    """

    package: str
    script: str
    project: str
    quick: str
    options: str = ""


BENCHMARKS = (
    Benchmark("architectures", "dl_seq2seq", "dl-seq2seq", "--seconds 2"),
    Benchmark(
        "architectures",
        "dl_cnn_compare",
        "dl-cnn-compare",
        "--architectures lenet alexnet --batch-size 32 --steps 2 --turns 1",
        "--steps 2",
    ),
    Benchmark("architectures", "dl_nlp_tool", "dl-nlp-tool", "--answers 5 --requests 14", "--answers 20 --requests 14"),
    Benchmark("architectures", "cifar10_torch", "flax-cifar10", "--steps 1 --turns 2 --batch-size 64"),
    Benchmark("flax", "flax_cifar10", "flax-cifar10", "--steps 1 --turns 2 --batch-size 64", "--turns 2"),
    Benchmark("flax", "flax_shakespeare", "flax-shakespeare", "--steps 1 --turns 2 --width 256", "--steps 3 --turns 2"),
    Benchmark("flax", "flax_stocks", "flax-stocks", "--steps 2 --turns 2"),
    Benchmark(
        "lightning", "lightning_cifar10", "lightning-cifar10", "--steps 3 --turns 1 --batch-size 64", "--turns 3"
    ),
    Benchmark(
        "lightning",
        "lightning_imdb",
        "lightning-imdb",
        "--reviews 256 --max-length 64 --steps 2 --turns 2",
        "--steps 4",
    ),
    Benchmark("lightning", "lightning_stocks", "lightning-stocks", "--steps 30 --turns 1"),
    Benchmark(
        "accelerate",
        "accelerate_houses",
        "accelerate-houses",
        "--passes 30 --turns 2 --trials 0",
        "--passes 30 300 --trials 0",
    ),
    Benchmark("accelerate", "accelerate_stocks", "accelerate-stocks", "--steps 30 --turns 1 --trials 0", "--trials 0"),
    Benchmark(
        "accelerate", "accelerate_cifar10", "accelerate-cifar10", "--steps 3 --turns 1 --batch-size 64", "--turns 3"
    ),
    Benchmark(
        "xla", "xla_recurrent", "xla-stocks", "--time-steps 16 --updates 5 --processes 1", "--time-steps 16 64 256"
    ),
    Benchmark("xla", "xla_cifar10", "xla-cifar10", "--steps 3 --batch-size 32", "--steps 5"),
    Benchmark(
        "xla",
        "xla_imdb",
        "xla-imdb",
        "--reviews 200 --max-length 64 --row-length 128 --steps 2 --turns 1",
        "--turns 1",
    ),
)
APART = """Not in the table, because they time no loop (`python benchmarks/NAME.py`): text_and_tables and sample_images
tell what baselines, a small network and the optimum reach on sample data, data_loading PATH what reading images takes,
and stock_intervals PATH what intervals hold."""
WIDTH = 200  # of the tables where the output is no terminal


@dataclass
class Job:
    """A benchmark of this run."""

    benchmark: Benchmark
    options: list[str]
    state: str = "waiting"
    started: float | None = None
    seconds: float | None = None
    """What it took, once it has ended."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What it says of the machine."""
    rows: list[Row] = field(default_factory=list)
    trouble: str = ""

    @property
    def took(self) -> float | None:
        if self.seconds is not None or self.started is None:
            return self.seconds
        return time.monotonic() - self.started

    @property
    def measured(self) -> Measured:
        facts = {"device": "", "threads": None, "versions": {}, "peaks": {}} | self.facts
        return Measured(self.benchmark.package, self.options, self.seconds, self.trouble, **facts)


@dataclass
class Bench:
    """Runs the benchmarks, and shows how they stand.

    Args:
        jobs: in the order in which they run, those of a package side by side.
        environments: of the packages.
        folder: of what the benchmarks report, beside the logs.
        console: where the table is shown.
    """

    jobs: Sequence[Job]
    environments: Environments
    folder: Path
    console: Console

    def run(self) -> None:
        """Run everything that is to be run, whatever fails."""
        with Live(get_renderable=self.table, console=self.console, refresh_per_second=2, transient=True):
            for package, members in groupby(self.jobs, key=lambda job: job.benchmark.package):
                jobs = list(members)
                self.enter("environment", *jobs)
                scripts, last = self.environments.build(package)
                for job in jobs:
                    job.started = None
                    if scripts is None:
                        job.trouble = f"the environment of {package} could not be built: {last}"
                self.enter("failed" if scripts is None else "waiting", *jobs)
                for job in jobs:
                    if scripts is not None:
                        self.measure(job, scripts)

    def measure(self, job: Job, scripts: Path) -> None:
        """Run one, and read what it reports."""
        name = job.benchmark.script
        reported = self.folder / "logs" / f"{name}.jsonl"
        reported.unlink(missing_ok=True)
        self.enter("measuring", job)
        variables = {"DL_BENCH_ROWS": str(reported), "PYTHONUNBUFFERED": "1"}
        command = [str(scripts / "python"), f"benchmarks/{name}.py", *job.options]
        status, last = self.environments.execute(command, name, scripts, **variables)
        job.seconds = job.took
        for line in reported.read_text(encoding="utf-8").splitlines() if reported.exists() else ():
            found = json.loads(line)
            if "loop" in found:
                job.rows.append(Row(benchmark=name, **found))
            else:
                job.facts = found
        if status != 0 or not job.rows:
            job.trouble = f"status {status}, {last}" if status else f"it measured no loop: {last}"
        self.enter("failed" if job.trouble else "finished", job)

    def enter(self, state: str, *jobs: Job) -> None:
        """Put jobs into a state; where no table can be seen changing, a line says so."""
        for job in jobs:
            job.state = state
            if state in ("environment", "measuring"):
                job.started = time.monotonic()
        if not self.console.is_terminal and state != "waiting":
            trouble = f": {jobs[0].trouble}" if state == "failed" else ""
            names = ", ".join(job.benchmark.script for job in jobs)
            self.console.print(f"{names}: {state}{trouble}", markup=False, soft_wrap=True)

    def table(self) -> Table:
        """How things stand, and what the one that runs printed last."""
        table = Table(box=None, padding=(0, 1, 0, 0))
        table.add_column("benchmark", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("took", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True, overflow="ellipsis")
        for job in self.jobs:
            style = {"failed": "red", "finished": "green", "waiting": "dim"}.get(job.state, "bold")
            log = {"environment": job.benchmark.package, "measuring": job.benchmark.script}.get(job.state)
            doing = last_line(self.environments.log(log)) if log else job.trouble
            table.add_row(job.benchmark.script, Text(job.state, style), clock(job.took), Text(doing, "dim"))
        return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if nothing failed, 1 if something did, 2 if it was asked for what is not there."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__.splitlines()[0], epilog=APART)
    parser.add_argument("names", nargs="*", metavar="NAME", help="packages or projects; all if not given")
    parser.add_argument("--quick", action="store_true", help="a few steps of each loop: to see that all works")
    parser.add_argument("--compare", type=Path, metavar="OLD.json", help="show what changed since this result")
    parser.add_argument("--nox", required=True, metavar="PYTHON", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path("bench"), help="of results and logs; default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        chosen = choose(options.names)
        old = Results.read(options.compare) if options.compare else None
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    jobs = [Job(found, (found.quick if options.quick else found.options).split()) for found in chosen]
    folder = options.folder.absolute()
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    bench = Bench(jobs, Environments(options.nox, folder / "logs"), folder, console)
    started = datetime.now(UTC)
    try:
        bench.run()
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    conclude(bench, started, old)
    if interrupted:
        print("interrupted; benchmarks that had not ended are left out")
        return 130
    return int(any(job.trouble for job in jobs))


def choose(names: Sequence[str]) -> list[Benchmark]:
    """The benchmarks of these packages and projects.

    Raises:
        InputError: if there is none of that name.
    """
    there = dict.fromkeys(name for found in BENCHMARKS for name in (found.package, found.project))
    if unknown := [name for name in names if name not in there]:
        raise InputError(f"there is no {', '.join(unknown)}; there are {', '.join(there)}")
    return [found for found in BENCHMARKS if not names or {found.package, found.project} & set(names)]


def conclude(bench: Bench, started: datetime, old: Results | None) -> None:
    """Show and write what was measured, and say what went wrong."""
    rows = [row for job in bench.jobs for row in job.rows]
    benchmarks = {job.benchmark.script: job.measured for job in bench.jobs if job.seconds or job.trouble}
    made, commit = started.isoformat(timespec="seconds"), bench_results.this_commit()
    results = Results(made, commit, bench_results.this_machine(), benchmarks, rows)
    page = Page(bench.console)
    page.say(*bench_results.machine_lines(results))
    page.table(bench_results.COLUMNS, [bench_results.cells(row, rows) for row in rows])
    page.say(bench_results.LEGEND)
    if old is not None:
        page.say(f"Since {old.made}" + (f", commit {old.commit}" if old.commit else ""))
        page.table(bench_changes.COLUMNS, bench_changes.changes(old, results))
        page.say(bench_changes.LEGEND, *bench_changes.notes(old, results))
    for job in bench.jobs:
        if job.trouble:
            log = job.benchmark.script if job.started else job.benchmark.package
            print(f"{job.benchmark.script} failed: {job.trouble}\n  log: {bench.environments.log(log)}")
    if rows:
        base = bench.folder / f"{started:%Y-%m-%d_%H%M%S}"
        results.write(base.with_suffix(".json"))
        drawn = picture(rows)
        if drawn is not None:
            with atomic_path(base.with_suffix(".png")) as path:
                drawn.savefig(path, dpi=160)
            page.parts.append(f"![Rates beside the textbook's]({base.name}.png)")
        write_text(base.with_suffix(".md"), "\n\n".join(page.parts) + "\n")
        print(f"written: {base}.json, .md" + (", .png" if drawn else ""))


class Page:
    """What is printed, and kept as Markdown."""

    def __init__(self, console: Console) -> None:
        self.console, self.parts = console, list[str]()

    def say(self, *lines: str) -> None:
        for line in lines:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        self.parts += lines

    def table(self, columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
        """A table whose first three columns are flush left."""
        table = Table(box=None, padding=(0, 1, 0, 0))
        for number, column in enumerate(columns):
            table.add_column(column, justify="left" if number < 3 else "right", no_wrap=number != 1)
        for line in lines:
            table.add_row(*(Text(cell) for cell in line))
        self.console.print(table)
        self.parts.append(markdown_table(columns, lines, left=3).rstrip("\n"))


if __name__ == "__main__":
    sys.exit(main())
