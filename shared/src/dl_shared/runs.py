"""The run directory: what a training run leaves behind, written so that a kill at any moment leaves it whole.

config.json            every option as used, with the seed
metrics.jsonl          one JSON object a line: step, epoch, split and values
summary.json           status, data, metrics, cost, versions (schema 1)
checkpoints/           the framework's native checkpoints: last and best
predictions.parquet    test predictions beside the truth
plots/*.png            report.html
"""

import dataclasses
import fcntl
import json
import math
import os
import resource
import secrets
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, SupportsFloat

from dl_shared import signals
from dl_shared.code_lines import training_code
from dl_shared.config import Config, from_json
from dl_shared.errors import InputError
from dl_shared.paths import user_path
from dl_shared.progress import say

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SCHEMA = 1
Status = Literal["running", "finished", "interrupted", "failed"]

_VERSIONED = (
    *("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "torch", "torch_xla", "pytorch-lightning", "accelerate"),
    *("transformers", "numpy", "pandas", "scikit-learn", "dl-shared"),
)


def runs_root(runs_dir: Path | None = None) -> Path:
    """`runs_dir`, else `$DL_RUNS_DIR`, else `./runs`."""
    return Path(runs_dir or os.environ.get("DL_RUNS_DIR") or "runs").absolute()


def find_run(
    run: str | Path, runs_dir: Path | None = None, project: str | None = None, verb: str | None = None
) -> Path:
    """The directory meant by `run`: a path, or `last` for the newest run of `project` under `runs_dir`.

    Args:
        run: a path, or `last`.
        runs_dir: see `runs_root`.
        project: the console script's name; None for any.
        verb: which made the run; None for any.

    Raises:
        InputError: if there is no run there.
    """
    if str(run) == "last":
        folder = runs_root(runs_dir) / (project or "*")
        found = [file.parent for file in folder.parent.glob(f"{folder.name}/*/config.json")]
        for path in sorted(found, key=lambda path: path.name, reverse=True):
            if verb is None or read_summary(path).get("verb", "train") == verb:
                return path
        raise InputError(f"no run of {project or 'any project'} under {runs_root(runs_dir)}; name one with --run PATH")
    path = user_path(run).absolute()
    if not (path / "config.json").is_file():
        raise InputError(f"{path} is not a run directory: it has no config.json")
    return path


def read_summary(path: Path) -> dict[str, Any]:
    """The summary of a run.

    Raises:
        InputError: if it is missing, damaged or of another schema.
    """
    from dl_shared.files import read_json

    summary = read_json(path / "summary.json")
    if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
        raise InputError(f"{path / 'summary.json'} is not a run summary of schema {SCHEMA}")
    return summary


def read_config(path: Path, config_type: type[Config]) -> Config:
    """The configuration of a run, as the dataclass it was made from.

    Raises:
        InputError: if it is missing, damaged, or does not fit the dataclass of this version.
    """
    from dl_shared.files import read_json

    values = read_json(path / "config.json")
    try:
        return from_json(config_type, values)
    except (OSError, OverflowError, ValueError) as error:  # OSError: of a path in it, such as one too long to look up
        raise InputError(f"{path / 'config.json'} cannot be used: {error}") from None


def read_history(path: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, oldest first; a last line cut short by a kill is left out.

    Raises:
        InputError: if the file is damaged, naming the line.
    """
    file = path / "metrics.jsonl"
    rows: list[dict[str, Any]] = []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return rows
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError
            rows.append(row)
        except (ValueError, RecursionError):
            if number < len(lines):
                raise InputError(f"{file}, line {number}: not a row of JSON") from None
    return rows


def log_row(path: Path, *, step: int, epoch: float | int, split: str, **values: SupportsFloat) -> None:
    """Append one row to the metrics.jsonl of a folder; a value that is not finite is written as null."""
    finite = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
    with (path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"step": step, "epoch": epoch, "split": split, **finite}) + "\n")


def rewind_history(path: Path, step: int) -> None:
    """Forget the rows after `step`: those of work that a kill has undone."""
    from dl_shared.files import write_text

    kept = [json.dumps(row) + "\n" for row in read_history(path) if row["step"] <= step]
    write_text(path / "metrics.jsonl", "".join(kept))


def resume_command(summary: Mapping[str, Any], path: Path) -> str:
    """What a person types to go on with the run of that summary; a project with dots in its name is a module."""
    project = str(summary.get("project") or path.name)
    start = ["python", "-m", project] if "." in project else [project]
    return shlex.join([*start, summary.get("verb", "train"), "--resume", str(path)])


class Run:
    """A run in progress. `with Run.start(...) as run:` records how it ended, however it ended."""

    follows = False
    """Whether another process keeps this run, so that scoring and drawing are left to it."""

    def __init__(self, path: Path, summary: dict[str, Any], config_module: str, *, resumed: bool) -> None:
        self.path = path
        self.summary = summary
        self._config_module = config_module
        self.resumed = resumed
        self.stop_requested = False
        self.checkpoints = path / "checkpoints"
        self._lock = _lock(path)

    @classmethod
    def start(
        cls,
        project: str,
        config: Any,
        *,
        task: str,
        framework: str,
        primary: str,
        higher_is_better: bool = True,
        runs_dir: Path | None = None,
        resume: str | Path | None = None,
    ) -> "Run":
        """Make the directory of a new run, or take up an unfinished one.

        Args:
            project: the console script's name.
            config: every option of the run; where a verb other than `train` makes such runs, its `verb` names that.
            task: whose metric names the summary uses, such as `cifar10`.
            framework: what the project is written in, such as `flax`.
            primary: the metric that decides between runs.
            higher_is_better: its direction.
            runs_dir: see `runs_root`.
            resume: a run directory, or `last`; its options must equal `config`, but for those that it calls changeable.

        Raises:
            InputError: if the run to resume is missing, damaged, finished, in use, or has other options.
        """
        from dl_shared.files import write_json

        options = json.loads(json.dumps(dataclasses.asdict(config), default=str))
        if resume is not None:
            return cls._take_up(find_run(resume, runs_dir, project), project, config, options)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = runs_root(runs_dir) / project / f"{stamp}-{secrets.token_hex(3)}"
        (path / "checkpoints").mkdir(parents=True)
        summary = {
            "schema": SCHEMA,
            "project": project,
            "task": task,
            "framework": framework,
            "verb": getattr(config, "verb", "train"),
            "status": "running",
            "seed": config.seed,
            "data": {},
            "metrics": {"validation": {}, "test": {}, "baseline": {}, "optimum": None, "gap_closed": None},
            "primary": {"name": primary, "higher_is_better": higher_is_better},
            "cost": {},
            "versions": {"python": sys.version.split()[0], **_versions()},
            "error": None,
        }
        run = cls(path, summary, type(config).__module__, resumed=False)
        run._write_summary()
        write_json(path / "config.json", options)  # last, because its presence makes the folder a run
        return run

    @classmethod
    def _take_up(cls, path: Path, project: str, config: Any, options: dict[str, Any]) -> "Run":
        from dl_shared.files import read_json, unfinished, write_json

        summary = read_summary(path)
        if summary["project"] != project:
            raise InputError(f"{path} is a run of {summary['project']}, not of {project}")
        if summary["status"] == "finished":
            raise InputError(f"{path} is finished; there is nothing to resume")
        recorded = read_json(path / "config.json")
        changed = {name for name in options if recorded.get(name) != options[name]}
        if fixed := sorted(changed - config.changeable):
            may = ", ".join(sorted(config.changeable))
            raise InputError(f"{path} was started with other options: {', '.join(fixed)}; only {may} may change")
        run = cls(path, summary, type(config).__module__, resumed=True)
        for file in unfinished(path):  # by the process that was killed; this one alone is at work here now
            file.unlink(missing_ok=True)
        if changed:
            write_json(path / "config.json", options)
        run.summary.update(status="running", error=None)
        run._write_summary()
        return run

    def __enter__(self) -> "Run":
        self._replaced = signals.replace(signals.raise_interrupt, signal.SIGTERM)
        return self

    def __exit__(self, kind, error, traceback) -> None:
        signals.put_back(self._replaced)
        try:
            if isinstance(error, InputError) and self._is_empty():
                shutil.rmtree(self.path)  # nothing was computed: a wrong option leaves no litter
                return
            if error is not None:
                error.add_note(f"resume with: {self.resume_command}")
            self._record_end(error)
        except OSError:
            if error is None:
                raise
            # The disk is full, perhaps. The error already on its way tells more, and "running" can be resumed too.
        finally:
            os.close(self._lock)

    def _record_end(self, error: BaseException | None) -> None:
        status: Status = "finished"
        if isinstance(error, KeyboardInterrupt):
            status = "interrupted"
        elif error is not None:
            status = "failed"
            self.summary["error"] = f"{type(error).__name__}: {error}"
        self.summary["status"] = status
        self.summary["cost"] |= training_code(self._config_module)  # all that it takes is imported by now
        # Kibibytes on Linux, bytes on macOS. A device's own peak, if the project has recorded it, stays.
        unit = 1 if sys.platform == "darwin" else 1024
        self.summary["cost"].setdefault("peak_memory_bytes", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
        if (self.path / "report.html").exists():  # written within the run, it still says "running"
            from dl_shared.files import as_written
            from dl_shared.report import write_page

            write_page(self.path, summary=as_written(self.summary))
        self._write_summary()  # last: a run that says that it is finished cannot be resumed, to write its page

    @property
    def resume_command(self) -> str:
        """What a person types to go on with this run."""
        return resume_command(self.summary, self.path)

    def _is_empty(self) -> bool:
        return not self.resumed and not (self.path / "metrics.jsonl").exists() and not any(self.checkpoints.iterdir())

    @contextmanager
    def stopping_gracefully(self) -> Iterator[None]:
        """Within, the first Ctrl-C or SIGTERM only sets `stop_requested`; the second raises KeyboardInterrupt.

        A training loop looks at `stop_requested` after each step, writes its checkpoint and calls `interrupt`.
        """

        def request(signum, frame) -> None:
            if self.stop_requested:
                raise KeyboardInterrupt
            self.stop_requested = True
            say("stopping at the next checkpoint; Ctrl-C again stops at once")

        replaced = signals.replace(request, signal.SIGINT, signal.SIGTERM)
        try:
            yield
        finally:
            signals.put_back(replaced)

    def interrupt(self) -> None:
        """End the run as interrupted; call it once the checkpoint is on disk.

        Raises:
            KeyboardInterrupt: always.
        """
        raise KeyboardInterrupt

    def log(self, *, step: int, epoch: float | int, split: str, **values: SupportsFloat) -> None:
        """Append one row to metrics.jsonl; a value that is not finite is written as null."""
        log_row(self.path, step=step, epoch=epoch, split=split, **values)

    def history(self) -> list[dict[str, Any]]:
        """The rows logged so far, oldest first."""
        return read_history(self.path)

    def rewind(self, step: int) -> None:
        """Forget the rows after `step`: those of work that a kill has undone."""
        rewind_history(self.path, step)

    def record_data(self, *, source: str, fingerprint: str, rows: Mapping[str, int], **more: Any) -> None:
        """Write down what the run learns from.

        Args:
            source: for people.
            fingerprint: SHA-256 of the decoded data.
            rows: in each part.
            more: what else the task has to say.

        Raises:
            InputError: if this is a resumed run that was started on other data.
        """
        if self.summary["data"].get("fingerprint", fingerprint) != fingerprint:
            raise InputError(f"{source} is not what this run was started on; restore the data, or start a new run")
        self.update("data", source=source, fingerprint=fingerprint, rows=dict(rows), **more)

    def update(self, section: Literal["data", "metrics", "cost"], **values: Any) -> None:
        """Merge values into a section of summary.json."""
        self.summary[section].update(values)
        self._write_summary()

    def _write_summary(self) -> None:
        from dl_shared.files import write_json

        write_json(self.path / "summary.json", self.summary)

    def save_figure(self, figure: "Figure", name: str, *, caption: str) -> Path:
        """Write plots/<name>.png; the caption travels inside the file, as its Description."""
        from dl_shared.files import atomic_path

        path = self.path / "plots" / f"{name}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=160, metadata={"Description": caption})
        return path

    def save_predictions(self, predictions: "pd.DataFrame") -> Path:
        """Write predictions.parquet: one row for each test example, in the order of the test data."""
        from dl_shared.files import atomic_path

        path = self.path / "predictions.parquet"
        with atomic_path(path) as temporary:
            predictions.to_parquet(temporary, index=False)
        return path


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _lock(path: Path) -> int:
    """Hold the run for this process; the kernel lets go of it however the process ends."""
    try:
        descriptor = os.open(path / "checkpoints", os.O_RDONLY)
    except OSError:
        raise InputError(f"{path} has no checkpoints folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise InputError(f"{path} is in use by another process") from None
    return descriptor
