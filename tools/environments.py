"""The packages' environments, for what runs a program of each of them: the demo and the benchmarks."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environments:
    """Builds environments, and runs programs in them.

    Args:
        nox: the Python that has nox, which builds them.
        logs: the folder of what every program wrote, a file each.
    """

    nox: str
    logs: Path

    def build(self, package: str) -> tuple[Path | None, str]:
        """The folder of the programs in a package's environment, or None if it cannot be built; nox's last words."""
        answer = self.logs / f"{package}.scripts"
        answer.unlink(missing_ok=True)
        command = [self.nox, "-m", "nox", "-s", f"environment({package})", "--", str(answer)]
        status, last = self.execute(command, package)
        return Path(answer.read_text(encoding="utf-8")) if status == 0 else None, last

    def execute(
        self, command: Sequence[str | Path], log: str, scripts: Path | None = None, **variables: str
    ) -> tuple[int, str]:
        """The exit status of a command, and the last line that it wrote to its log."""
        path = self.log(log)
        path.parent.mkdir(parents=True, exist_ok=True)
        search = os.pathsep.join([*([str(scripts)] if scripts else []), os.environ.get("PATH", os.defpath)])
        environment = os.environ | {"PATH": search} | variables
        with path.open("wb") as file:
            try:
                status = subprocess.run(command, stdout=file, stderr=file, env=environment).returncode
            except OSError as error:
                return 127, str(error)
        return status, last_line(path)

    def log(self, name: str) -> Path:
        """Where a program's words are."""
        return self.logs / f"{name}.log"


def last_line(log: Path) -> str:
    """The last line of a log that is not empty; nothing while there is none."""
    lines = log.read_bytes().decode("utf-8", "replace").splitlines() if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def clock(seconds: float | None) -> str:
    """Minutes and seconds."""
    return "" if seconds is None else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
