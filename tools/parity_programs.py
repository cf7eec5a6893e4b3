"""Programs of the packages, each run in the environment of its package, which is built once."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from environments import Environments


class FailedError(RuntimeError):
    """An environment could not be built, or a program failed; the message is one line."""


@dataclass
class Programs:
    """Runs programs, and says how long each took."""

    environments: Environments
    scripts: dict[str, Path | None] = field(default_factory=dict)
    """Where the programs of a package are, once that has been asked; None if its environment cannot be built."""
    trouble: dict[str, str] = field(default_factory=dict)

    def run(self, package: str, program: str, *arguments: str | Path, log: str) -> None:
        """Run a program of a package.

        Raises:
            FailedError: if it fails, or its environment cannot be built.
        """
        if package not in self.scripts:
            self.scripts[package], self.trouble[package] = self.environments.build(package)
        scripts = self.scripts[package]
        if scripts is None:
            raise FailedError(f"the environment of {package} could not be built: {self.trouble[package]}")
        started = time.monotonic()
        status, last = self.environments.execute([scripts / program, *arguments], log, scripts)
        if status:
            raise FailedError(f"status {status}, {last} (log: {self.environments.log(log)})")
        print(f"{log}: {time.monotonic() - started:.0f} s", flush=True)
