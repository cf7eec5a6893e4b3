"""Several processes that train as one run: the first keeps the run directory, the others follow it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat

from dl_shared import signals
from dl_shared.errors import InputError
from dl_shared.progress import silence
from dl_shared.runs import Run, read_summary

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def start_together(
    project: str, config: Any, *, is_first: bool, from_first: Callable[[str], str], **options: Any
) -> Run:
    """`Run.start` in the first of several processes; the others follow its run. Every process must call it.

    Args:
        project: the console script's name.
        config: every option of the run.
        is_first: whether this process keeps the run directory, which must be in a place that all of them see.
        from_first: gives every process the text that the first one calls it with; a broadcast of the framework.
        options: for `Run.start`.

    Raises:
        InputError: as `Run.start`, in every process.
    """
    if is_first:
        try:
            run = Run.start(project, config, **options)
        except BaseException:
            from_first("")
            raise
        from_first(str(run.path))
        return run
    path = from_first("")
    if not path:
        raise InputError("the first process could not start the run, and says why")
    return Follower(Path(path), resumed=options.get("resume") is not None)


class Follower(Run):
    """A run that another process keeps: same directory, and nothing is written or said.

    Where several processes train as one, the first starts the run, tells the others its path, and these follow it.
    """

    follows = True

    def __init__(self, path: Path, *, resumed: bool) -> None:
        self.path = path
        self.summary = read_summary(path)
        self.resumed = resumed
        self.stop_requested = False
        self.checkpoints = path / "checkpoints"

    def __enter__(self) -> "Run":
        self._silence = silence()
        self._silence.__enter__()
        return super().__enter__()

    def __exit__(self, kind, error, traceback) -> None:
        self._silence.__exit__(None, None, None)
        signals.put_back(self._replaced)

    def log(self, *, step: int, epoch: float | int, split: str, **values: SupportsFloat) -> None: ...

    def rewind(self, step: int) -> None: ...

    def _write_summary(self) -> None: ...

    def save_figure(self, figure: "Figure", name: str, *, caption: str) -> Path:
        return self.path / "plots" / f"{name}.png"

    def save_predictions(self, predictions: "pd.DataFrame") -> Path:
        return self.path / "predictions.parquet"
