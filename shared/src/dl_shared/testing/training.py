"""A project's training from outside: started, stopped, resumed, and what two of its runs must have in common."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.parquet as pq

from dl_shared.files import read_json
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.testing.forked import Forked

IMPORTED = ("pandas", "pyarrow.parquet", "matplotlib.pyplot", "sklearn.linear_model", "dl_shared.report")
"""What every training comes to import, beside its framework."""


@dataclass(frozen=True)
class Training:
    """A project's `train`, with small options, to be stopped at some moment and resumed.

    `checkpoint_seconds` 0 among the options makes kills fall into the writing of a checkpoint. Packages derive from it.

    Attributes:
        project: the console script's name, such as `flax-cifar10`, or a module that is called by `python -m`.
        options: fields of its configuration.
    """

    package: ClassVar[str]
    """Where the projects are: `flax_projects`."""
    checkpoint: ClassVar[str]
    """A pattern of what a run's checkpoints are called, relative to it: the one to go on from."""
    imported: ClassVar[tuple[str, ...]] = ()
    """Modules with the trainings of the package, for `Forked`."""

    project: str
    options: Mapping[str, Any]

    @property
    def module(self) -> str:
        """That has the script's `main`."""
        if "." in self.project:
            return f"{self.project}.__main__"
        return f"{self.package}.{self.project.partition('-')[2].replace('-', '_')}.cli"

    @property
    def script(self) -> list[str]:
        """The command, without a verb."""
        return [sys.executable, "-m", self.module]

    def flags(self, runs: Path, **more: Any) -> list[str]:
        """What is typed after `train`."""
        flags = ["--runs-dir", str(runs)]
        for name, value in {**self.options, **more}.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                flags.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                flags += [f"--{flag}", *map(str, value if isinstance(value, tuple) else (value,))]
        return flags

    def fork(self, runs: Path, *, resume: Path | None = None) -> Forked:
        """The command without the seconds that its imports take, see `Forked`; with `resume`, that run goes on."""
        arguments = self.flags(runs) if resume is None else ["--resume", str(resume)]
        return Forked(self.module, ["train", *arguments], (*IMPORTED, *self.imported))

    def start(self, runs: Path) -> subprocess.Popen[str]:
        """The command, in a process of its own from the first."""
        return subprocess.Popen([*self.script, "train", *self.flags(runs)], stderr=subprocess.PIPE, text=True)

    def resume(self, run: Path, *flags: str) -> str:
        """Go on with a run to its end; returns what it said."""
        command = [*self.script, "train", "--resume", str(run), *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert read_summary(run)["status"] == "finished"
        return result.stderr

    def whole(self, runs: Path) -> Path:
        """A run never stopped."""
        with self.fork(runs) as process:
            assert process.wait() == 0, process.said()
        run = find_run("last", runs, self.project)
        assert read_summary(run)["status"] == "finished"
        return run

    def stopped(
        self, runs: Path, seconds: float, how: signal.Signals, *, checkpoint: str | None = None
    ) -> tuple[Path, int, str]:
        """A run stopped by a signal some seconds after its first checkpoint; with it, exit status and stderr.

        Args:
            runs: the folder of runs, with none of the project in it.
            seconds: to wait once the checkpoint is there.
            how: the signal.
            checkpoint: another one to wait for, as a pattern like that of the class.
        """
        pattern = f"{self.project}/*/{checkpoint or self.checkpoint}"
        with self.start(runs) as process:
            while not (found := [path for path in runs.glob(pattern) if not path.name.startswith(".")]):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.002)
            time.sleep(seconds)
            process.send_signal(how)
            _, errors = process.communicate()
        return runs.joinpath(*found[0].relative_to(runs).parts[:2]), process.returncode, errors

    def killed_and_resumed(self, runs: Path, checkpoint: str) -> Path:
        """A run killed (SIGKILL) as soon as it has that checkpoint (see `stopped`), and resumed to its end."""
        run, status, errors = self.stopped(runs, 0.0, signal.SIGKILL, checkpoint=checkpoint)
        assert status == -signal.SIGKILL, f"it ended before the kill: {errors}"
        assert read_summary(run)["status"] == "running"
        self.resume(run)
        return run

    def interrupted(self, runs: Path, seconds: float) -> Path:
        """A run stopped by Ctrl-C, which says how to resume it."""
        run, status, errors = self.stopped(runs, seconds, signal.SIGINT)
        assert status == 130, errors
        assert f"resume with: {self.project} train --resume {run}" in errors
        assert "Traceback" not in errors
        assert read_summary(run)["status"] == "interrupted"
        return run


def assert_same_results(run: Path, reference: Path) -> None:
    """Both runs have the same log, the same predictions and, of stocks, the same calibration, bit for bit.

    Likewise the same summary and the same page, see `assert_same_reports`.
    """
    assert read_history(run) == read_history(reference)
    tables = [pq.read_table(path / "predictions.parquet").to_pydict() for path in (run, reference)]
    assert tables[0] == tables[1]
    if (reference / "forecaster.json").exists():
        assert read_json(run / "forecaster.json") == read_json(reference / "forecaster.json")
    assert_same_reports(run, reference)


def assert_same_reports(run: Path, reference: Path) -> None:
    """The summary and the page, in which the pictures are; apart from the runs' names and what was measured of them."""
    summaries = [read_summary(path) for path in (run, reference)]
    for summary in summaries:
        summary["cost"] = {name: summary["cost"].get(name) for name in ("parameters", "device", "precision")}
    assert summaries[0] == summaries[1]
    pages = [_without_cost(path) for path in (run, reference)]
    assert len(pages[0]) == len(pages[1])
    for line, other in zip(*pages, strict=True):
        assert line == other, f"{line[:200]} is not {other[:200]}"


def _without_cost(run: Path) -> list[str]:
    """The lines of a run's page, but for the section of the cost; the run is called RUN in them."""
    page = (run / "report.html").read_text(encoding="utf-8")
    page, found = re.subn(r'<section aria-labelledby="cost">.*?</section>', "", page, flags=re.DOTALL)
    assert found == 1
    return page.replace(str(run), "RUN").replace(run.name, "RUN").splitlines()
