"""Search the options of any project for those that score best, in one process or in many on one study.

    SPACE = {"learning_rate": Float(1e-4, 1e-1, log=True), "cell": Choice(("lstm", "gru")), "layers": Int(1, 3)}

    def objective(config: Config, report: Report) -> float:
        for epoch in range(config.epochs):
            ...
            report(validation_loss, step=epoch)  # the pruner may end the trial here
        return validation_loss

    found = tune("flax-stocks", Config(), SPACE, objective, direction="minimize", options=TuneOptions(trials=50))

A study lives in a database named by a URL. Every process that opens it with the same name, base configuration and
space works on it; a study that was killed continues when the same command is given again. Searches by one process
are a function of the seed, even across kills. Whatever is searched must be scored on validation data.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from dl_shared.ranges import AT_LEAST_1, POSITIVE, check

if TYPE_CHECKING:
    import pandas as pd

Direction = Literal["minimize", "maximize"]
Value = str | int | float | bool | None


@dataclass(frozen=True)
class Float:
    """A real option between two bounds, both included; searched on a logarithmic scale with `log`."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)


@dataclass(frozen=True)
class Int:
    """A whole option between two bounds, both included; searched on a logarithmic scale with `log`."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self.low, self.high, self.log)


@dataclass(frozen=True)
class Choice:
    """One of several values that have no order."""

    options: tuple[Value, ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) < 2:
            raise ValueError(f"a choice needs two different options, got {self.options}")


Space = Mapping[str, Float | Int | Choice]
"""What may vary: entries by the name of a field of the configuration."""


def _check_bounds(low: float | int, high: float | int, log: bool) -> None:
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic scale needs bounds above 0, got {low}")


@runtime_checkable
class Report(Protocol):
    """Given to the objective, which calls it with its score after each epoch or so.

    It does not return when the pruner gives the trial up, or when the score is not finite.
    """

    number: int
    """The trial's number in the study."""

    def __call__(self, value: float, *, step: int) -> None: ...


Objective = Callable[[Any, Report], float]
"""Scores a configuration. With several workers it must be importable by name: a function of a module."""


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """Options of a `tune` verb; a project adds its configuration."""

    trials: int = 20
    """Trials that the study shall have in the end, those of earlier calls included."""
    study: str = "default"
    """Name of the study; give another to start afresh."""
    storage: str | None = None
    """Database of the study, as a URL (default: an SQLite file under the runs directory)."""
    workers: int = 1
    """Processes to work with; more may join from other terminals or machines with the same command."""
    timeout: float | None = None
    """Start no further trial after this many seconds."""
    pruner: Literal["median", "halving", "none"] = "median"
    """How to give up on hopeless trials early."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, AT_LEAST_1, "trials", "workers")
        check(self, POSITIVE, "timeout")
        if not re.fullmatch(r"\w[\w.-]{0,99}", self.study):
            raise ValueError(f"a study's name is made of letters, digits, '.', '-' and '_', got {self.study!r}")


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a study has found so far."""

    best_config: Any | None
    """The base configuration with the best options, or None while no trial is complete."""
    best_value: float | None
    """Its score."""
    trials: "pd.DataFrame"
    """A row for each trial: number, state, value, seconds, reason, and the options searched."""
    folder: Path
    """Holds trials.csv, study.json and plots/."""
    space: Space

    def summary(self) -> dict[str, Any]:
        """What a `tune` verb prints."""
        counts = self.trials["state"].value_counts().to_dict()
        best = {} if self.best_config is None else {name: getattr(self.best_config, name) for name in self.space}
        return {"best_value": self.best_value, "best": best, "trials": counts, "folder": str(self.folder)}


def tune(
    project: str,
    base: Any,
    space: Space,
    objective: Objective,
    *,
    direction: Direction,
    metric: str = "score",
    options: TuneOptions | None = None,
) -> Tuning:
    """Search `space`, starting or continuing a study, and keep a table and pictures of what was found.

    Args:
        project: the console script's name; results go to `<runs>/<project>/tuning/<study>/`.
        base: a frozen dataclass; fields that are not searched keep their values. Its `seed`, if it has one, also
            fixes the search.
        space: what may vary.
        objective: scores a configuration on validation data. A score that is not finite, or a combination that the
            configuration itself refuses (ValueError), counts as pruned.
        direction: `minimize` or `maximize` the score.
        metric: what the score is called in tables and pictures.
        options: how long, where and with how many workers.

    Raises:
        InputError: if the storage cannot be used, or holds a study of that name made for something else.
        ValueError: if `space` names a field that `base` does not have.
    """
    fields = {field.name for field in dataclasses.fields(base)}
    if unknown := sorted(set(space) - fields):
        raise ValueError(f"{type(base).__name__} has no field {', '.join(unknown)}")
    if not space:
        raise ValueError("there is nothing to search: the space is empty")
    from dl_shared.tuning import results, search

    options = options or TuneOptions()
    plan = search.make_plan(project, base, space, objective, direction, options)
    study = search.open_study(plan)
    search.run(plan, study, workers=options.workers)
    return results.collect(plan, study, metric)


__all__ = [
    "Choice",
    "Direction",
    "Float",
    "Int",
    "Objective",
    "Report",
    "Space",
    "TuneOptions",
    "Tuning",
    "tune",
]
