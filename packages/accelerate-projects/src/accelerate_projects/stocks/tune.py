"""The verb `tune`: a search on validation days, what its winner is worth after it, and one test."""

from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from jaxtyping import Float

from accelerate_projects.processes import make_accelerator
from accelerate_projects.stocks.config import Config
from accelerate_projects.stocks.data import load_data
from accelerate_projects.stocks.options import SearchOptions
from accelerate_projects.stocks.train import PROJECT, fit, train
from accelerate_projects.unrecorded import unrecorded_run
from dl_shared.errors import InputError
from dl_shared.files import atomic_path, read_json, write_json
from dl_shared.metrics.selection import Deflated, deflate, skill_interval
from dl_shared.progress import say
from dl_shared.runs import read_summary, runs_root
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_comparison import sum_by_day
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_search import describe, write_search
from dl_shared.tuning import Choice, Report, Space, Tuning, tune
from dl_shared.tuning import Float as Real

SPACE: Space = {
    "cell": Choice(("rnn", "gru", "lstm")),
    "hidden": Choice((8, 16, 32, 64)),
    "layers": Choice((1, 2, 3)),
    "dropout": Real(0.0, 0.5),
    "learning_rate": Real(3e-4, 3e-2, log=True),
    "weight_decay": Real(1e-3, 1.0, log=True),
}


def search(config: Config, options: SearchOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config.

    Every epoch of every trial is something that was tried: the winner is deflated for all of them. Then it is trained
    as a run of its own and tested, once in the life of a study.

    Raises:
        InputError: if there are too few validation days to judge anything by.
    """
    data, _ = _data(config)
    days, needed = len(np.unique(data.validation.dates)), 4 * config.horizon
    if days < needed:
        raise InputError(
            f"{days} validation days are too few to judge a search; {needed} are needed, or less --horizon"
        )
    folder = runs_root(options.runs_dir) / PROJECT / "tuning" / options.study
    objective = partial(score, base=config, losses=folder / "losses")
    found = tune(PROJECT, config, SPACE, objective, direction="maximize", metric="validation skill", options=options)
    if found.best_config is None:
        return found.summary()
    trials, deflated = judge(found, data)
    tested = folder / "test.json"
    if options.test and not tested.exists():
        write_json(tested, test(found.best_config, trials, data, options.runs_dir))
    outcome = read_json(tested) if tested.exists() else None
    page = write_search(folder, found, deflated, trials=trials, tested=outcome)
    say(describe(deflated, trials))
    say(f"page     {page}")
    summary = found.summary() | {"tried": trials, "deflated": vars(deflated), "page": str(page)}
    return summary if outcome is None else summary | {"test": outcome}


def score(config: Config, report: Report, *, base: Config, losses: Path) -> float:
    """The best validation skill of any epoch; what each epoch's forecasts lost on each validation day is kept.

    Args:
        config: of the trial.
        report: to the study.
        base: the configuration whose data the trial has.
        losses: folder of what is kept, a file for each trial.
    """
    data, outputs = _data(base)
    benchmark = _persistence(data, outputs)
    kept: list[Float[np.ndarray, " days"]] = []

    def watch(epoch: int, errors: Float[np.ndarray, "windows horizon"]) -> None:
        kept.append(_daily(errors, data))
        with atomic_path(losses / f"{report.number}.npy") as temporary:
            np.save(temporary, np.stack(kept), allow_pickle=False)
        report(float(1 - kept[-1].sum() / benchmark.sum()), step=epoch)

    with unrecorded_run() as run:
        fit(config, data, outputs, run, make_accelerator(config), watch)
    return float(1 - min(daily.sum() for daily in kept) / benchmark.sum())


def judge(found: Tuning, data: stocks.Data) -> tuple[int, Deflated]:
    """How many trials there were, those given up included, and what the best epoch of all is worth."""
    settled = found.trials[found.trials["state"].isin(["complete", "pruned"])]
    files = [found.folder / "losses" / f"{number}.npy" for number in settled["number"]]
    tried = np.concatenate([np.load(path, allow_pickle=False) for path in files if path.exists()])
    benchmark = _persistence(data, Outputs.of(data, LEVELS))
    return len(settled), deflate(tried, benchmark, block=2 * data.horizon)


def test(best: Config, trials: int, data: stocks.Data, runs_dir: Path | None) -> dict[str, Any]:
    """Train the best configuration as a run, and say what it is worth on the test days.

    `skill` is in the same units as in the search, with a 95 % interval; `skill_of_prices` that of the run's report.
    """
    run = train(best, runs_dir=runs_dir)
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
def _data(base: Config) -> tuple[stocks.Data, Outputs]:
    """Loaded once for all trials of a process: nothing that is searched changes the data."""
    data = load_data(replace(base, **{name: getattr(Config(), name) for name in SPACE}))
    return data, Outputs.of(data, LEVELS)


def _persistence(data: stocks.Data, outputs: Outputs) -> Float[np.ndarray, " days"]:
    return _daily(outputs.from_returns(data.validation.targets, data.volatility("validation")), data)


def _daily(
    errors: Float[np.ndarray, "windows horizon"], data: stocks.Data, part: str = "validation"
) -> Float[np.ndarray, " days"]:
    """Absolute errors of each day's windows, summed."""
    return sum_by_day(np.abs(errors).sum(axis=1), getattr(data, part).dates)[:, 0]
