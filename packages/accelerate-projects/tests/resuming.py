"""Runs of this package stopped and resumed, in one process or two."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from dl_shared.testing import training


class Training(training.Training):
    package = "accelerate_projects"
    checkpoint = "checkpoints/last.safetensors"
    imported = (
        "accelerate_projects.cifar10.train",
        "accelerate_projects.houses.train",
        "accelerate_projects.stocks.train",
    )

    def launch(self, runs: Path, processes: int, **more: Any) -> subprocess.Popen[str]:
        """The command in several processes, as `accelerate launch` starts them; `--cpu` would start one only."""
        launcher = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
        module = f"{self.package}.{self.project.partition('-')[2]}"
        command = [*launcher, "--num_processes", str(processes), "-m", module, "train", *self.flags(runs, **more)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def worker_killed(self, runs: Path, **more: Any) -> tuple[Path, str]:
        """A run of two processes, of which the second is killed after the first checkpoint; with it, stderr."""
        with self.launch(runs, processes=2, **more) as process:
            while not (found := list(runs.glob(f"{self.project}/*/{self.checkpoint}"))):
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.01)
            os.kill(_child_of_rank(process.pid, 1), signal.SIGKILL)
            _, errors = process.communicate()
        assert process.returncode != 0
        return found[0].parents[1], errors


def _child_of_rank(parent: int, rank: int) -> int:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ranks = {int(child): Path(f"/proc/{child}/environ").read_bytes().split(b"\0") for child in children}
    return next(child for child, environment in ranks.items() if f"RANK={rank}".encode() in environment)
