"""What a study found: a table, the best options, pictures."""

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from dl_shared.files import atomic_path, write_json, write_text
from dl_shared.plots import tuning as plots
from dl_shared.tuning import Choice, Int, Tuning
from dl_shared.tuning.search import REASON, SURPLUS, Plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STATES = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def collect(plan: Plan, study: optuna.Study, metric: str) -> Tuning:
    """Write trials.csv, study.json and plots/, and return what they say."""
    trials = table(study.get_trials(deepcopy=False), plan)
    complete = trials[trials["state"] == "complete"]
    best_config = best_value = None
    if len(complete):
        best = study.best_trial
        best_config, best_value = dataclasses.replace(plan.base, **best.params), best.value
    write_text(plan.folder / "trials.csv", trials.to_csv(index=False))
    write_json(
        plan.folder / "study.json",
        {
            "study": plan.study,
            "metric": metric,
            "direction": plan.direction,
            "best_value": best_value,
            "best_config": _as_json(best_config),
            "trials": json.loads(trials.to_json(orient="records", double_precision=15)),
        },
    )
    if len(complete):
        _draw(plan, study, trials, metric)
    return Tuning(best_config=best_config, best_value=best_value, trials=trials, folder=plan.folder, space=plan.space)


def table(trials: list[FrozenTrial], plan: Plan) -> pd.DataFrame:
    """A row for each trial in the order of their numbers; the options searched are the last columns."""
    rows = []
    for trial in trials:
        if SURPLUS in trial.user_attrs:
            continue
        duration = trial.duration
        rows.append(
            {
                "number": trial.number,
                "state": _STATES.get(trial.state, "running"),
                "value": trial.value if trial.state == TrialState.COMPLETE else None,
                "seconds": None if duration is None else duration.total_seconds(),
                "reason": trial.user_attrs.get(REASON),
                **{name: trial.params.get(name) for name in plan.space},
            }
        )
    columns = ["number", "state", "value", "seconds", "reason", *plan.space]
    frame = pd.DataFrame(rows, columns=columns)
    whole = {name: "Int64" for name, entry in plan.space.items() if isinstance(entry, Int)}  # a dead trial may lack it
    return frame.astype({"value": "float64", "seconds": "float64", **whole})


def _draw(plan: Plan, study: optuna.Study, trials: pd.DataFrame, metric: str) -> None:
    maximize = plan.direction == "maximize"
    logarithmic = {name for name, entry in plan.space.items() if not isinstance(entry, Choice) and entry.log}
    names = list(plan.space)
    _save(plan, "history", plots.history(trials, metric, maximize=maximize), "Each trial's score, and the best so far.")
    figure = plots.slices(trials, names, metric, logarithmic=logarithmic, maximize=maximize)
    _save(plan, "slices", figure, "The score against each option that was searched; the star is the best trial.")
    figure = plots.parallel(trials, names, metric, logarithmic=logarithmic, maximize=maximize)
    _save(plan, "parallel", figure, "Each complete trial as a line through its options; dark lines score best.")
    if (importances := _importances(study)) is not None:
        figure = plots.importance(importances, metric)
        _save(plan, "importance", figure, "Share of the score's variance that each option explains (fANOVA).")


def _importances(study: optuna.Study) -> dict[str, float] | None:
    """Hutter, Hoos and Leyton-Brown (2014), or None where the trials are too few or too alike to tell."""
    values = {trial.value for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))}
    if len(values) < 4:
        return None
    return optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))


def _save(plan: Plan, name: str, figure: "Figure", caption: str) -> None:
    with atomic_path(plan.folder / "plots" / f"{name}.png") as temporary:
        figure.savefig(temporary, dpi=160, metadata={"Description": caption})


def _as_json(config: Any) -> Any:
    return None if config is None else json.loads(json.dumps(dataclasses.asdict(config), default=str))
