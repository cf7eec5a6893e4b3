"""The search itself, on Optuna: claims, kills and seeds.

A trial fills a *slot*, 0 to `trials` - 1. One that dies leaves its slot free, and the next trial takes it with the
same random numbers. That makes a search by one process a function of its seed however often it was killed.
"""

import dataclasses
import fcntl
import hashlib
import itertools
import json
import math
import multiprocessing
import os
import secrets
import socket
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import sqlalchemy
from optuna.trial import FrozenTrial, TrialState

from dl_shared.errors import InputError
from dl_shared.files import cache_dir
from dl_shared.progress import progress, say
from dl_shared.runs import runs_root
from dl_shared.tuning import Choice, Direction, Float, Objective, Space, TuneOptions

SETTLED = (TrialState.COMPLETE, TrialState.PRUNED)
HEARTBEAT_SECONDS, GRACE_SECONDS = 30, 120  # of workers on other machines
UNSIGNED_SECONDS = 10.0  # a worker signs its trial within milliseconds; one that has not after this is dead
SLOT, WORKER, SURPLUS, REASON = "slot", "worker", "surplus", "reason"
_UNUSABLE = (  # a database of another kind, and what Optuna trips over where the tables of its own are damaged
    *(sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, RuntimeError),
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
)


@dataclass(frozen=True)
class Plan:
    """All that a worker needs to know; travels to other processes."""

    base: Any
    space: Space
    objective: Objective
    direction: Direction
    folder: Path
    storage: str
    study: str
    trials: int
    seed: int
    pruner: str
    timeout: float | None


def make_plan(
    project: str, base: Any, space: Space, objective: Objective, direction: Direction, options: TuneOptions
) -> Plan:
    """Settle where things go."""
    folder = runs_root(options.runs_dir) / project / "tuning"
    folder.mkdir(parents=True, exist_ok=True)
    return Plan(
        base,
        dict(space),
        objective,
        direction,
        folder / options.study,
        options.storage or f"sqlite:///{folder / 'studies.db'}",
        options.study,
        options.trials,
        int(getattr(base, "seed", 0)),
        options.pruner,
        options.timeout,
    )


def open_study(plan: Plan) -> optuna.Study:
    """Open the study, or make it.

    Raises:
        InputError: if the storage cannot be used, or the study there was made for something else.
    """
    with _quiet():
        try:
            with _first_come(plan.storage):  # Optuna's own creation of tables does not bear two processes at once
                study = optuna.create_study(
                    storage=_connect(plan.storage),
                    study_name=plan.study,
                    direction=plan.direction,
                    load_if_exists=True,
                    pruner=_pruner(plan.pruner),
                )
                wanted = _described(plan)
                found = study.user_attrs.get("made_for")
                if found is None:
                    study.set_user_attr("made_for", wanted)
                direction, trials = study.direction.name.lower(), study.get_trials(deepcopy=False)
        except _UNUSABLE as error:
            raise _unusable(plan, error) from None
    if direction != plan.direction:
        raise InputError(f"study {plan.study!r} is to {direction}; choose another --study name")
    if found is not None and found != wanted:
        raise InputError(f"study {plan.study!r} was made for {_difference(found, wanted)}; choose another --study name")
    _check(trials, plan)
    return study


def _check(trials: Sequence[FrozenTrial], plan: Plan) -> None:
    """Refuse what no search has written.

    Raises:
        InputError: for the first trial that is damaged.
    """
    for trial in trials:
        scores = [*(trial.values or ()), *trial.intermediate_values.values()]
        if not set(trial.params) <= set(plan.space) or not all(isinstance(score, float | int) for score in scores):
            raise InputError(f"trial {trial.number} of study {plan.study!r} is damaged; choose another --study name")


def _connect(url: str) -> optuna.storages.RDBStorage:
    # SQLite's writers wait for one another; the default of 5 s is short for many workers.
    arguments = {"connect_args": {"timeout": 100}} if url.startswith("sqlite") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats, since Optuna 2
        return optuna.storages.RDBStorage(
            url, engine_kwargs=arguments, heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS
        )


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner()
    return optuna.pruners.NopPruner()


def _described(plan: Plan) -> dict[str, Any]:
    """What makes scores comparable: the space, and the options that are not searched."""
    space = {name: {"kind": type(entry).__name__, **dataclasses.asdict(entry)} for name, entry in plan.space.items()}
    base = {name: value for name, value in dataclasses.asdict(plan.base).items() if name not in plan.space}
    return json.loads(json.dumps({"space": space, "options": base}, default=str))


def _difference(found: Any, wanted: Any) -> str:
    """The first thing in which two descriptions differ, in words."""
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        return "what cannot be read"
    for part, name in (("space", "another search space"), ("options", "other options")):
        one, other = found.get(part, {}), wanted[part]
        changed = sorted(key for key in {*one, *other} if one.get(key) != other.get(key))
        if changed:
            return f"{name} ({', '.join(changed)})"
    return "something else"


def run(plan: Plan, study: optuna.Study, *, workers: int) -> None:
    """Work until the study has its trials or the time is over.

    Raises:
        InputError: if the objective finds the user's input wrong.
        RuntimeError: if a worker process failed; the others have then done their share.
    """
    deadline = math.inf if plan.timeout is None else time.time() + plan.timeout  # processes share this clock
    done = sum(trial.state in SETTLED for trial in study.get_trials(deepcopy=False))
    try:
        with progress(plan.trials, f"study {plan.study}", unit="trials", done=min(done, plan.trials)) as bar:
            if workers == 1:
                for trial in _work(plan, study, deadline):
                    bar.advance(int(trial.state in SETTLED), **_best(study))
            else:
                _run_processes(plan, study, deadline, workers, bar)
    except KeyboardInterrupt:
        say(f"study {plan.study!r} is kept; give the same command to continue it")
        raise


def _best(study: optuna.Study) -> dict[str, float]:
    try:
        return {"best": study.best_value}
    except ValueError:  # no trial is complete
        return {}


def _run_processes(plan: Plan, study: optuna.Study, deadline: float, workers: int, bar: Any) -> None:
    context = multiprocessing.get_context("spawn")  # a forked JAX or CUDA does not work
    refusals = context.SimpleQueue()
    processes = [context.Process(target=_process, args=(plan, deadline, refusals)) for _ in range(workers)]
    for process in processes:
        process.start()
    shown = sum(trial.state in SETTLED for trial in study.get_trials(deepcopy=False))
    try:
        while any(process.is_alive() for process in processes):
            time.sleep(0.3)
            settled = sum(trial.state in SETTLED for trial in study.get_trials(deepcopy=False))
            bar.advance(settled - shown, **_best(study))
            shown = settled
    finally:
        for process in processes:
            process.terminate()
            process.join()
    if not refusals.empty():
        raise InputError(refusals.get())
    if failed := sum(process.exitcode != 0 for process in processes):
        raise RuntimeError(
            f"{failed} of {workers} workers failed; trials that ended are kept: the same command goes on"
        )


def _process(plan: Plan, deadline: float, refusals: Any) -> None:
    try:
        for _ in _work(plan, open_study(plan), deadline):
            pass
    except InputError as error:
        refusals.put(str(error))
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def _work(plan: Plan, study: optuna.Study, deadline: float) -> Iterator[FrozenTrial]:
    """Run trial after trial, and yield each as it ended."""
    ended: list[FrozenTrial] = []
    with _sign_of_life() as signature, _quiet():
        while not _is_over(plan, study, deadline):
            try:
                study.optimize(
                    partial(_attempt, plan, signature),
                    n_trials=1,
                    catch=(_SurplusError,),
                    callbacks=[lambda _, trial: ended.append(trial)],
                )
            except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
                raise _unusable(plan, error) from None
            yield ended.pop()


def _is_over(plan: Plan, study: optuna.Study, deadline: float) -> bool:
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        return True  # whoever started us was killed
    if time.time() >= deadline:
        return True
    _bury_the_dead(study)
    taken = study.get_trials(deepcopy=False, states=(*SETTLED, TrialState.RUNNING))
    return len(taken) >= plan.trials


class _SurplusError(Exception):
    """Another worker was faster to claim the last trial."""


def _attempt(plan: Plan, signature: str, trial: optuna.Trial) -> float:
    """One trial: claim a slot, choose options, score them."""
    trial.set_user_attr(WORKER, signature)
    others = [other for other in trial.study.get_trials(deepcopy=False) if other.number != trial.number]
    others = [other for other in others if other.state != TrialState.FAIL]
    if sum(other.number < trial.number for other in others) >= plan.trials:
        trial.set_user_attr(SURPLUS, True)
        raise _SurplusError
    slot = _free_slot(others, trial.number)
    trial.set_user_attr(SLOT, slot)
    seed = int(np.random.SeedSequence([plan.seed, slot]).generate_state(1)[0])
    trial.study.sampler = optuna.samplers.TPESampler(seed=seed)
    chosen = {name: _suggest(trial, name, entry) for name, entry in plan.space.items()}
    try:
        config = dataclasses.replace(plan.base, **chosen)
    except ValueError as error:
        raise _pruned(trial, str(error)) from None
    value = float(plan.objective(config, TrialReport(trial)))
    if not math.isfinite(value):
        raise _pruned(trial, f"the score is {value}")
    return value


def _free_slot(others: Sequence[FrozenTrial], number: int) -> int:
    """The first slot that no living trial has, leaving as many as older trials are just about to take."""
    taken = {other.user_attrs[SLOT] for other in others if SLOT in other.user_attrs}
    about_to = sum(other.number < number and SLOT not in other.user_attrs for other in others)
    free = (slot for slot in itertools.count() if slot not in taken)
    return next(itertools.islice(free, about_to, None))


def _suggest(trial: optuna.Trial, name: str, entry: Any) -> Any:
    if isinstance(entry, Choice):
        return trial.suggest_categorical(name, entry.options)
    suggest = trial.suggest_float if isinstance(entry, Float) else trial.suggest_int
    return suggest(name, entry.low, entry.high, log=entry.log)


class TrialReport:
    """Implements `dl_shared.tuning.Report`."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial
        self.number = trial.number

    def __call__(self, value: float, *, step: int) -> None:
        if not math.isfinite(value):
            raise _pruned(self._trial, f"the score is {value} at step {step}")
        self._trial.report(float(value), step)
        if self._trial.should_prune():
            raise _pruned(self._trial, f"behind the others at step {step}")


def _pruned(trial: optuna.Trial, reason: str) -> optuna.TrialPruned:
    trial.set_user_attr(REASON, reason)
    return optuna.TrialPruned(reason)


def _bury_the_dead(study: optuna.Study) -> None:
    """Fail the trials whose worker is gone, so that their slots are free again.

    A worker of this machine is gone when nobody holds its lock, which the kernel sees to even after SIGKILL. One of
    another machine is gone when its heartbeat in the database has stopped; Optuna looks at those before each trial.
    """
    first_seen: dict[int, float] = {}
    while True:
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        unsigned = [trial for trial in running if WORKER not in trial.user_attrs]
        now = time.monotonic()
        for trial in running:
            seconds = now - first_seen.setdefault(trial.number, now)
            if _is_gone(trial.user_attrs[WORKER]) if trial not in unsigned else seconds > UNSIGNED_SECONDS:
                _fail(study, trial)
        if not unsigned:
            return
        time.sleep(0.1)


def _fail(study: optuna.Study, trial: FrozenTrial) -> None:
    try:
        study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    except optuna.exceptions.UpdateFinishedTrialError:
        return  # another worker was faster


@contextmanager
def _sign_of_life() -> Iterator[str]:
    """Hold a lock for as long as this process lives; yields the signature by which others find it."""
    path = _locks() / f"{secrets.token_hex(8)}.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield json.dumps([socket.gethostname(), str(path)])
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _is_gone(signature: str) -> bool:
    host, path = json.loads(signature)
    if host != socket.gethostname():
        return False
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:  # another container of the same name, perhaps: its heartbeat will tell
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


@contextmanager
def _first_come(storage: str) -> Iterator[None]:
    """Let the processes of this machine through one at a time."""
    name = hashlib.sha256(storage.encode()).hexdigest()[:16]
    descriptor = os.open(_locks() / f"{name}.storage", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _locks() -> Path:
    folder = cache_dir() / "tuning"
    folder.mkdir(exist_ok=True)
    return folder


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says on stderr what our progress already shows."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _unusable(plan: Plan, error: Exception) -> InputError:
    return InputError(f"the storage {_public(plan.storage)} cannot be used: {_first_line(error)}")


def _public(url: str) -> str:
    """The URL without its password."""
    try:
        return sqlalchemy.engine.make_url(url).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return f"{url} (give a URL, such as sqlite:////home/me/studies.db)"


def _first_line(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else None
    return str(cause or error).strip().partition("\n")[0] or type(error).__name__
