"""Kill a training command at some moment, resume it, and compare what two runs end with."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch

from dl_shared.runs import find_run, read_history, read_summary


@dataclass(frozen=True)
class Training:
    """A project's `train` with small options; `checkpoint_seconds` 0 makes kills fall into the writing of one.

    Attributes:
        project: the console script's name, such as `lightning-cifar10`.
        options: fields of its configuration.
    """

    project: str
    options: Mapping[str, Any]

    def start(self, runs: Path) -> subprocess.Popen[str]:
        """The command, in a process of its own."""
        return subprocess.Popen([*self.script, "train", *self.flags(runs)], stderr=subprocess.PIPE, text=True)

    def flags(self, runs: Path, **more: Any) -> list[str]:
        """What is typed after `train`."""
        flags = ["--runs-dir", str(runs)]
        for name, value in {**self.options, **more}.items():
            flags += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, tuple) else (value,))]
        return flags

    def resume(self, run: Path, *flags: str) -> str:
        """Go on with a run to its end; returns what it said."""
        command = [*self.script, "train", "--resume", str(run), *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stderr

    def whole(self, runs: Path) -> Path:
        """A run never stopped."""
        with self.start(runs) as process:
            errors = process.stderr.read()
        assert process.returncode == 0, errors
        run = find_run("last", runs, self.project)
        assert read_summary(run)["status"] == "finished"
        return run

    def stopped(self, runs: Path, seconds: float, how: signal.Signals) -> tuple[Path, int, str]:
        """A run stopped by a signal some seconds after its first checkpoint; with it, exit status and stderr."""
        with self.start(runs) as process:
            while not (found := list(runs.glob(f"{self.project}/*/checkpoints/last/*.ckpt"))):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            time.sleep(seconds)
            process.send_signal(how)
            errors = process.stderr.read()
        return found[0].parents[2], process.returncode, errors

    def killed_and_resumed(self, runs: Path, seconds: float) -> Path:
        """A run killed (SIGKILL) some seconds after its first checkpoint, and resumed to its end."""
        run, status, errors = self.stopped(runs, seconds, signal.SIGKILL)
        assert status == -signal.SIGKILL, f"it ended before the kill: {errors}"
        assert read_summary(run)["status"] == "running"
        print(f"killed {seconds:.3f} s after the first checkpoint, at {sorted((run / 'checkpoints').rglob('*.ckpt'))}")
        self.resume(run)
        return run

    def killed_after(self, runs: Path, step: int) -> Path:
        """A run killed once the checkpoint after this step is there, and resumed to its end."""
        with self.start(runs) as process:
            while not (found := list(runs.glob(f"{self.project}/*/checkpoints/last/step={step:08d}.ckpt"))):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.001)
            process.kill()
        self.resume(found[0].parents[2])
        return found[0].parents[2]

    def interrupted(self, runs: Path, seconds: float) -> Path:
        """A run stopped by Ctrl-C, which says how to resume it."""
        run, status, errors = self.stopped(runs, seconds, signal.SIGINT)
        assert status == 130, errors
        assert f"resume with: {self.project} train --resume {run}" in errors
        assert "Traceback" not in errors
        assert read_summary(run)["status"] == "interrupted"
        return run

    @property
    def script(self) -> list[str]:
        return [sys.executable, "-m", f"lightning_projects.{self.project.removeprefix('lightning-')}.cli"]


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same tensors in both checkpoints, bit for bit, the same log and the same predictions."""
    assert read_history(run) == read_history(reference)
    tables = [pq.read_table(path / "predictions.parquet").to_pydict() for path in (run, reference)]
    assert tables[0] == tables[1]
    for name in ("best.ckpt", sorted((reference / "checkpoints" / "last").iterdir())[-1].name):
        leaves, others = (
            dict(tensors(torch.load(next(path.rglob(name)), weights_only=True))) for path in (run, reference)
        )
        assert leaves.keys() == others.keys()
        assert len(leaves) > 10
        for key, leaf in leaves.items():
            assert torch.equal(leaf, others[key]), f"{name}: {key}"


def tensors(value: Any, path: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors of a checkpoint, by where they are."""
    if isinstance(value, torch.Tensor):
        if not path.startswith("/callbacks"):  # there, scores are kept by the name of a file in this very run
            yield path, value
    elif isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from tensors(inner, f"{path}/{key}")
