"""The demo: every project on sample data, in a live table; then the page that compares them. `nox -s demo` calls it.

dl-nlp-tool, which has nothing to train, is asked its seven tasks in a browser instead; pictures of it go into the page.
The projects run one after another, because what the page says of their speed would be wrong otherwise. One that fails,
or whose environment cannot be built, ends no other; its log says why.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from environments import Environments, clock
from rich.console import Console
from rich.live import Live
from rich.table import Table

from dl_shared.errors import InputError
from dl_shared.files import read_json, write_json
from dl_shared.report.cli import main as report
from dl_shared.report.record import RunRecord, read_record
from dl_shared.report.render import score, words
from dl_shared.testing import CHROMIUM

QUICK_SECONDS = 60  # what the preset `quick` may take; the last demo on this machine knows better
TOUR = "dl-nlp-tool"


AT_WORK = ("training", "asking")
"""States in which a project's own program runs."""


@dataclass
class Project:
    """A line of the table."""

    package: str
    name: str
    state: str = "waiting"
    started: float | None = None
    seconds: float | None = None
    """What it took, once it has ended."""
    run: RunRecord | None = None
    result: str = ""
    """In words, of what leaves no run."""
    trouble: str = ""

    @property
    def took(self) -> float | None:
        if self.seconds is not None or self.started is None:
            return self.seconds
        return time.monotonic() - self.started


@dataclass
class Demo:
    """Runs the projects, and shows how they stand.

    Args:
        projects: in the order in which they run, those of a package side by side.
        folder: of runs, logs and the page.
        environments: of the packages.
        console: where the table is shown.
    """

    projects: Sequence[Project]
    folder: Path
    environments: Environments
    console: Console
    times: dict[str, float] = field(default_factory=dict)
    """Seconds of each project in the last demo."""

    def run(self) -> None:
        """Run everything that is to be run, whatever fails."""
        known = self.folder / "times.json"
        self.times = read_json(known) if known.exists() else {}
        try:
            with Live(get_renderable=self.table, console=self.console, refresh_per_second=2):
                for package, members in groupby(self.projects, key=lambda project: project.package):
                    projects = [project for project in members if project.state != "left out"]
                    scripts = self.build(package, projects) if projects else None
                    for project in projects:
                        if scripts is not None:
                            (self.tour if project.name == TOUR else self.train)(project, scripts)
                            write_json(known, self.times)
        finally:
            if not self.console.is_terminal:
                self.console.print()  # there, the table ends without one

    def build(self, package: str, projects: Sequence[Project]) -> Path | None:
        """The folder of the console scripts in the package's environment, or None if it cannot be built."""
        self.enter("environment", *projects)
        for project in projects:  # the page shows one run of each, which is of this demo
            shutil.rmtree(self.folder / "runs" / project.name, ignore_errors=True)
        scripts, last = self.environments.build(package)
        for project in projects:
            project.started = None
            if scripts is None:
                project.trouble = f"the environment of {package} could not be built: {last}"
        self.enter("failed" if scripts is None else "waiting", *projects)
        return scripts

    def train(self, project: Project, scripts: Path) -> None:
        """Train, and keep what came of it."""
        runs = self.folder / "runs"
        self.enter("training", project)
        options = ["--data", "sample", "--preset", "quick", "--runs-dir", str(runs)]
        status, last = self.environments.execute([scripts / project.name, "train", *options], project.name, scripts)
        project.run = newest(runs / project.name)
        self.end(project, status == 0 and project.run is not None, f"status {status}, {last}")

    def tour(self, project: Project, scripts: Path) -> None:
        """Ask the tool's page, and keep pictures of its answers."""
        pictures = self.folder / project.name
        shutil.rmtree(pictures, ignore_errors=True)
        self.enter("asking", project)
        command = [scripts / "python", Path(__file__).with_name("nlp_tour.py"), pictures]
        status, project.result = self.environments.execute(command, project.name, scripts)
        self.end(project, status == 0, f"status {status}, {project.result}")

    def end(self, project: Project, well: bool, trouble: str) -> None:
        """Note how it went, and what it took if it went well."""
        project.seconds = project.took
        if well:
            self.times[project.name] = round(project.seconds or 0.0, 1)
            self.enter("finished", project)
        else:
            project.trouble = trouble
            self.enter("failed", project)

    def enter(self, state: str, *projects: Project) -> None:
        """Put projects into a state; where no table can be seen changing, a line says so."""
        for project in projects:
            project.state = state
            if state in ("environment", *AT_WORK):
                project.started = time.monotonic()
        if not self.console.is_terminal and state != "waiting":
            trouble = f": {projects[0].trouble}" if state == "failed" else ""
            line = f"{', '.join(project.name for project in projects)}: {state}{trouble}"
            self.console.print(line, markup=False, soft_wrap=True)

    def table(self) -> Table:
        """How things stand."""
        table = Table(box=None, padding=(0, 1, 0, 0), caption=self.outlook(), caption_justify="left")
        table.add_column("project", no_wrap=True)
        table.add_column("state", no_wrap=True)
        for name in ("took", "left", "result", "baseline", "optimum", "closed"):
            table.add_column(name, justify="right", no_wrap=name != "result")
        for project in self.projects:
            state = self.progress(project)
            style = {"failed": "red", "finished": "green", "waiting": "dim", "left out": "dim"}.get(state, "bold")
            left = self.left(project) if project.state in AT_WORK else None
            figures = figures_of(project) if project.state == "finished" else []
            table.add_row(project.name, f"[{style}]{state}", clock(project.took), clock(left), *figures)
        return table

    def progress(self, project: Project) -> str:
        """The state, with the epoch that a training has come to."""
        done, epochs = self.epochs(project)
        return f"epoch {done:g}/{epochs:g}" if done else project.state

    def epochs(self, project: Project) -> tuple[float, float]:
        """How many a training has done, and of how many; zeros where that is not known."""
        run = newest(self.folder / "runs" / project.name) if project.state == "training" else None
        done = [row["epoch"] for row in run.history if "epoch" in row] if run else []
        return (max(done), run.config["epochs"]) if run and done and "epochs" in run.config else (0.0, 0.0)

    def left(self, project: Project) -> float:
        """Seconds of work: by the last demo or what `quick` promises; by its epochs once it has taken longer."""
        gone = (project.took or 0.0) if project.state in AT_WORK else 0.0
        whole = self.times.get(project.name, QUICK_SECONDS)
        if gone > whole:
            done, epochs = self.epochs(project)
            whole = gone * epochs / done if done else whole
        return max(0.0, whole - gone)

    def outlook(self) -> str:
        """The time that is left for all, or what was reached."""
        failed = sum(project.state == "failed" for project in self.projects)
        trouble = f", {failed} failed" if failed else ""
        to_come = [project for project in self.projects if project.state in ("waiting", "environment", *AT_WORK)]
        if not to_come:
            return f"{sum(project.state == 'finished' for project in self.projects)} finished{trouble}"
        building = " beside environments" if any(project.state == "environment" for project in to_come) else ""
        return f"about {clock(sum(map(self.left, to_come)))} left{building}{trouble}"


def newest(folder: Path) -> RunRecord | None:
    """The newest run of a project; None where there is none that can be read."""
    for path in sorted(folder.glob("*"), reverse=True):
        try:
            return read_record(path)
        except InputError:  # it has only just begun
            continue
    return None


def figures_of(project: Project) -> list[str]:
    """Result, baseline, optimum, and the share of the gap between them that is closed."""
    run = project.run
    if run is None:
        return [project.result]
    shown = [score(run.score(name)) for name in ("test", "baseline", "optimum")]
    closed = "" if run.gap_closed is None else f"{100 * run.gap_closed:.1f} %"
    return [f"{words(run.metric)} {shown[0]}", *shown[1:], closed]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if nothing failed, 1 if something did; the page is written either way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="+", metavar="PACKAGE/PROJECT", help="what to run")
    parser.add_argument("--nox", required=True, metavar="PYTHON", help="the one that has nox")
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="of runs, logs and the page")
    options = parser.parse_args(arguments)
    projects = [Project(*name.split("/")) for name in options.projects]
    for project in projects:
        if project.name == TOUR and CHROMIUM is None:
            project.state = "left out"
    folder = options.folder.absolute()
    demo = Demo(projects, folder, Environments(options.nox, folder / "logs"), Console())
    try:
        demo.run()
    except KeyboardInterrupt:
        demo.console.print("interrupted; the next demo begins anew, with the environments that there are")
        return 130
    return conclude(demo)


def conclude(demo: Demo) -> int:
    """Say what went wrong, and write the page."""
    for project in demo.projects:
        if project.state == "left out":
            print(f"{project.name} is left out: no Chromium is installed (Debian: apt-get install chromium)")
        elif project.state == "failed":
            log = project.name if project.started else project.package
            print(f"{project.name} failed: {project.trouble}\n  log: {demo.environments.log(log)}")
    runs, pictures = demo.folder / "runs", demo.folder / TOUR
    shown = ["--pictures", str(pictures)] if pictures.is_dir() else []
    if any(runs.glob("*/*/summary.json")):
        page, markdown = demo.folder / "index.html", demo.folder / "index.md"
        report(["compare", str(runs), "--output", str(page), "--markdown", str(markdown), *shown])
    elif shown:
        print(f"pictures: {pictures}")
    return int(any(project.state == "failed" for project in demo.projects))


if __name__ == "__main__":
    sys.exit(main())
