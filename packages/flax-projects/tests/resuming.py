"""Kill a training command at some moment, resume it, and compare what two runs end with."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
import pyarrow.parquet as pq

from dl_shared.runs import find_run, read_history, read_summary


@dataclass(frozen=True)
class Training:
    """A project's `train` with small options; `checkpoint_seconds` 0 makes kills fall into the writing of one.

    Attributes:
        project: the console script's name, such as `flax-cifar10`.
        options: fields of its configuration.
    """

    project: str
    options: Mapping[str, Any]

    def start(self, runs: Path) -> subprocess.Popen[str]:
        """The command, in a process of its own."""
        flags = ["--runs-dir", str(runs)]
        for name, value in self.options.items():
            flag = name.replace("_", "-")
            if isinstance(value, bool):
                flags.append(f"--{flag}" if value else f"--no-{flag}")
            else:
                flags += [f"--{flag}", *map(str, value if isinstance(value, tuple) else (value,))]
        return subprocess.Popen([*self._script, "train", *flags], stderr=subprocess.PIPE, text=True)

    def resume(self, run: Path, *flags: str) -> None:
        """Go on with a run to its end."""
        command = [*self._script, "train", "--resume", str(run), *flags]
        result = subprocess.run(command, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr

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
            while not (found := list(runs.glob(f"{self.project}/*/checkpoints/last/[0-9]*"))):
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.02)
            time.sleep(seconds)
            process.send_signal(how)
            errors = process.stderr.read()
        return found[0].parents[2], process.returncode, errors

    def killed_and_resumed(self, runs: Path, seconds: float) -> Path:
        """A run killed (SIGKILL) some seconds after its first checkpoint, and resumed to its end."""
        print(f"killed {seconds:.3f} s after the first checkpoint")
        run, status, errors = self.stopped(runs, seconds, signal.SIGKILL)
        assert status == -signal.SIGKILL, f"it ended before the kill: {errors}"
        assert read_summary(run)["status"] == "running"
        self.resume(run)
        return run

    def interrupted_and_resumed(self, runs: Path, seconds: float) -> Path:
        """A run stopped by Ctrl-C, which says how to resume it, and resumed to its end."""
        run, status, errors = self.stopped(runs, seconds, signal.SIGINT)
        assert status == 130, errors
        assert f"resume with: {self.project} train --resume {run}" in errors
        assert "Traceback" not in errors
        assert read_summary(run)["status"] == "interrupted"
        self.resume(run)
        return run

    @property
    def _script(self) -> list[str]:
        module = f"flax_projects.{self.project.removeprefix('flax-')}.cli"
        return [sys.executable, "-c", f"import sys; from {module} import main; sys.exit(main())"]


def assert_same_end(run: Path, reference: Path) -> None:
    """Both runs end with the same arrays in both checkpoints, bit for bit, the same log and the same predictions."""
    assert read_history(run) == read_history(reference)
    tables = [pq.read_table(path / "predictions.parquet").to_pydict() for path in (run, reference)]
    assert tables[0] == tables[1]
    for kind in ("last", "best"):
        (step, leaves), (other_step, others) = _arrays(run, kind), _arrays(reference, kind)
        assert step == other_step, kind
        assert len(leaves) == len(others) > 3
        for leaf, other in zip(leaves, others, strict=True):
            np.testing.assert_array_equal(leaf, other)


def _arrays(run: Path, kind: str) -> tuple[int | None, list[np.ndarray]]:
    with ocp.CheckpointManager(run / "checkpoints" / kind) as manager:
        step = manager.latest_step()
        restored = manager.restore(step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore()))
    return step, [np.asarray(leaf) for leaf in jax.tree.leaves(restored["arrays"])]
