"""For the tests of all packages: a console script from outside, runs stopped and resumed, pictures made on the spot."""

import csv
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from dl_shared.data.reviews import CLASSES
from dl_shared.runs import find_run, read_history, read_summary
from dl_shared.sample.prices import make_prices
from dl_shared.sample.reviews import make_reviews

KILLS = int(os.environ.get("DL_KILLS", "1"))
"""How often each project's run is killed at a random moment; `nox -s kills` does it more often."""

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
"""The browser for tests of pages, or None."""

HEAVY = ("jax", "flax", "torch", "pytorch_lightning", "transformers", "datasets", "numpy", "pandas")


def refused(capsys: Any, main: Callable[[Sequence[str]], int], *arguments: object) -> str:
    """The one line with which a script, called with bad input, ends in status 2.

    Args:
        capsys: pytest's fixture.
        main: of the script.
        arguments: what is typed.
    """
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert "Traceback" not in captured.err
    return line


def help_without_frameworks(module: str, *verbs: str) -> str:
    """The help of some verbs, from a process that is seen to import no framework for it.

    Args:
        module: with the script's `main`.
        verbs: of the script.
    """
    program = (
        f"import sys\nfrom {module} import main\n"
        f"for verb in {verbs!r}:\n"
        "    try:\n        main([verb, '--help'])\n    except SystemExit: pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "[]"
    return done.stdout


def write_few_images(folder: Path) -> Path:
    """220 training and 60 test images whose class is their brightness, in the hub's layout; returns the folder."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 220), ("test", 60)):
        labels = np.arange(n) % 10
        noise = rng.integers(0, 40, size=(n, 32, 32, 3))
        cells = []
        for image in (noise + 20 * labels[:, None, None, None]).astype(np.uint8):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            cells.append({"bytes": buffer.getvalue(), "path": None})
        table = pa.table({"img": cells, "label": pa.array(labels, pa.int64())})
        pq.write_table(table, folder / f"{part}-00000-of-00001.parquet")
    return folder


def write_reviews(file: Path, texts: Sequence[str], labels: Sequence[str], encoding: str = "utf-8") -> Path:
    """A table of reviews in Kaggle's columns; returns its path."""
    with file.open("w", newline="", encoding=encoding) as opened:
        writer = csv.writer(opened)
        writer.writerow(["review", "sentiment"])
        writer.writerows(zip(texts, labels, strict=True))
    return file


def write_few_reviews(folder: Path) -> Path:
    """A table of 150 made-up reviews: 108 to train on, 12 for validation, 30 for testing; returns its path."""
    made = make_reviews(150, 0)
    return write_reviews(folder / "few.csv", made.texts, [CLASSES[label] for label in made.labels])


def write_prices(folder: Path, *, tickers: int = 3, days: int = 700, **planted: float) -> Path:
    """A CSV for each of the made-up companies S00, S01, ... in Yahoo's columns; returns the folder.

    Args:
        folder: made if it is not there.
        tickers: how many.
        days: of each.
        planted: options of `dl_shared.sample.prices.make_prices`.
    """
    folder.mkdir(exist_ok=True)
    for ticker, frame in make_prices(seed=0, tickers=tickers, days=days, **planted).prices.frames.items():
        frame.rename(columns={"adj_close": "Adj Close"}).to_csv(folder / f"{ticker}.csv", index_label="Date")
    return folder


@dataclass(frozen=True)
class Training:
    """A project's `train`, with small options, to be stopped at some moment and resumed.

    `checkpoint_seconds` 0 among the options makes kills fall into the writing of a checkpoint. Packages derive from it.

    Attributes:
        project: the console script's name, such as `flax-cifar10`.
        options: fields of its configuration.
    """

    package: ClassVar[str]
    """Where the projects are: `flax_projects`."""
    checkpoint: ClassVar[str]
    """A pattern of what a run's first checkpoint is called in its folder `checkpoints`."""

    project: str
    options: Mapping[str, Any]

    @property
    def script(self) -> list[str]:
        """The command, without a verb."""
        return [sys.executable, "-m", f"{self.package}.{self.project.partition('-')[2]}.cli"]

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

    def start(self, runs: Path) -> subprocess.Popen[str]:
        """The command, in a process of its own."""
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
        with self.start(runs) as process:
            _, errors = process.communicate()
        assert process.returncode == 0, errors
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
        pattern = f"{self.project}/*/checkpoints/{checkpoint or self.checkpoint}"
        with self.start(runs) as process:
            while not (found := [path for path in runs.glob(pattern) if not path.name.startswith(".")]):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.002)
            time.sleep(seconds)
            process.send_signal(how)
            _, errors = process.communicate()
        return runs.joinpath(*found[0].relative_to(runs).parts[:2]), process.returncode, errors

    def killed_and_resumed(self, runs: Path, seconds: float, *, checkpoint: str | None = None) -> Path:
        """A run killed (SIGKILL) some seconds after a checkpoint (see `stopped`), and resumed to its end."""
        run, status, errors = self.stopped(runs, seconds, signal.SIGKILL, checkpoint=checkpoint)
        assert status == -signal.SIGKILL, f"it ended before the kill: {errors}"
        assert read_summary(run)["status"] == "running"
        there = sorted(str(path.relative_to(run)) for path in run.glob(f"checkpoints/{self.checkpoint}"))
        print(f"killed {seconds:.3f} s after the checkpoint, with {there}")
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
    """Both runs have the same log and the same predictions, bit for bit."""
    assert read_history(run) == read_history(reference)
    tables = [pq.read_table(path / "predictions.parquet").to_pydict() for path in (run, reference)]
    assert tables[0] == tables[1]
