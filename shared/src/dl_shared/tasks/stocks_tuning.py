"""A search by validation skill: what is kept of each trial, what the winner is worth after it, and one test.

For networks that forecast one number for each day ahead, in the units of `stocks_outputs`.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float

from dl_shared.errors import InputError
from dl_shared.files import atomic_path, read_json, write_json
from dl_shared.metrics.selection import Deflated, deflate, skill_interval
from dl_shared.progress import say
from dl_shared.runs import read_summary, runs_root
from dl_shared.tasks.options import SearchStocks
from dl_shared.tasks.stocks_comparison import sum_by_day
from dl_shared.tasks.stocks_config import LEVELS, StocksConfig
from dl_shared.tasks.stocks_data import Data
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_search import describe, write_search
from dl_shared.tuning import Report, Space, Tuning, tune

Watch = Callable[[int, Float[np.ndarray, "windows horizon"]], None]
"""Called after each epoch: with its number, from 1, and the errors of validation forecasts, in the network's units."""


def search(
    project: str,
    config: StocksConfig,
    space: Space,
    options: SearchStocks,
    *,
    load: Callable[[Any], Data],
    fit: Callable[[Any, Data, Watch], object],
    train: Callable[..., Path],
) -> dict[str, Any]:
    """Search a space, beginning a study or continuing one; what is not searched stays as in the config.

    Every epoch of every trial is something that was tried: the winner is deflated for all of them. Then it is trained
    as a run of its own and tested, once in the life of a study.

    Args:
        project: the console script's name.
        config: what is not searched.
        space: none of which may change the data.
        options: of the verb.
        load: the data of a configuration; a function of a module, as `fit` is, so that workers can import it.
        fit: trains a configuration, and tells of its epochs.
        train: makes a run of the winner, called with `config` and `runs_dir=`; returns its directory.

    Raises:
        InputError: if there are too few validation days to judge anything by.
    """
    data = _loaded(load, config)
    days, needed = len(np.unique(data.validation.dates)), 4 * config.horizon
    if days < needed:
        raise InputError(
            f"{days} validation days are too few to judge a search; {needed} are needed, or less --horizon"
        )
    folder = runs_root(options.runs_dir) / project / "tuning" / options.study
    objective = partial(score, base=config, load=load, fit=fit, losses=folder / "losses")
    found = tune(project, config, space, objective, direction="maximize", metric="validation skill", options=options)
    if found.best_config is None:
        return found.summary()
    trials, deflated = _judge(found, data)
    tested = folder / "test.json"
    if options.test and not tested.exists():
        write_json(tested, _test(train(found.best_config, runs_dir=options.runs_dir), trials, data))
    outcome = read_json(tested) if tested.exists() else None
    page = write_search(folder, found, deflated, trials=trials, tested=outcome)
    say(describe(deflated, trials))
    say(f"page     {page}")
    summary = found.summary() | {"tried": trials, "deflated": vars(deflated), "page": str(page)}
    return summary if outcome is None else summary | {"test": outcome}


def score(
    config: Any,
    report: Report,
    *,
    base: StocksConfig,
    load: Callable[[Any], Data],
    fit: Callable[[Any, Data, Watch], object],
    losses: Path,
) -> float:
    """The best validation skill of any epoch; what each epoch's forecasts lost on each validation day is kept.

    Args:
        config: of the trial.
        report: to the study.
        base: the configuration whose data the trial has.
        load, fit: as for `search`.
        losses: folder of what is kept, a file for each trial.
    """
    data = _loaded(load, base)
    benchmark = _persistence(data)
    kept: list[Float[np.ndarray, " days"]] = []

    def watch(epoch: int, errors: Float[np.ndarray, "windows horizon"]) -> None:
        kept.append(_daily(errors, data))
        with atomic_path(losses / f"{report.number}.npy") as temporary:
            np.save(temporary, np.stack(kept), allow_pickle=False)
        report(float(1 - kept[-1].sum() / benchmark.sum()), step=epoch)

    fit(config, data, watch)
    return float(1 - min(daily.sum() for daily in kept) / benchmark.sum())


def _judge(found: Tuning, data: Data) -> tuple[int, Deflated]:
    """How many trials there were, those given up included, and what the best epoch of all is worth."""
    settled = found.trials[found.trials["state"].isin(["complete", "pruned"])]
    files = [found.folder / "losses" / f"{number}.npy" for number in settled["number"]]
    tried = np.concatenate([np.load(path, allow_pickle=False) for path in files if path.exists()])
    return len(settled), deflate(tried, _persistence(data), block=2 * data.horizon)


def _test(run: Path, trials: int, data: Data) -> dict[str, Any]:
    """What a run of the winner is worth on the test days, after so many trials.

    `skill` is in the same units as in the search, with a 95 % interval; `skill_of_prices` that of the run's report.
    """
    rows = pq.read_table(run / "predictions.parquet", columns=["base_price", "forecast"]).to_pandas()
    forecasts = np.log(rows["forecast"] / rows["base_price"]).to_numpy().reshape(data.test.targets.shape)
    outputs = Outputs.of(data, LEVELS)
    truth, made = (outputs.from_returns(values, data.volatility()) for values in (data.test.targets, forecasts))
    losses, benchmark = (_daily(values, data, "test") for values in (made - truth, truth))
    skill, interval = skill_interval(losses, benchmark, block=2 * data.horizon)
    prices = read_summary(run)["metrics"]["test"]
    return {
        "run": str(run),
        "trials": trials,
        "skill": skill,
        "skill_ci": interval,
        "skill_of_prices": prices["skill"],
        "skill_of_prices_ci": prices["skill_ci"],
    }


@lru_cache(maxsize=1)
def _loaded(load: Callable[[Any], Data], base: StocksConfig) -> Data:
    """Once for all trials of a process: nothing that is searched changes the data."""
    return load(base)


def _persistence(data: Data) -> Float[np.ndarray, " days"]:
    outputs, part = Outputs.of(data, LEVELS), data.validation
    return _daily(outputs.from_returns(part.targets, data.volatility("validation")), data)


def _daily(
    errors: Float[np.ndarray, "windows horizon"], data: Data, part: str = "validation"
) -> Float[np.ndarray, " days"]:
    """Absolute errors of each day's windows, summed."""
    return sum_by_day(np.abs(errors).sum(axis=1), getattr(data, part).dates)[:, 0]
