"""Does a forecaster see the future? Another one comes after some day, and all that was known on that day is compared.

And does it tell a signal from luck: it finds the one that was planted, and none in a random walk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dl_shared.data.lookahead import change_future
from dl_shared.files import read_json
from dl_shared.runs import read_history, read_summary
from dl_shared.tasks.stocks import Data
from dl_shared.testing.records import record
from dl_shared.testing.training import Training

SHARE_OF_ORACLE = 0.9
"""Of the skill that the planted signal allows: what a quick run must reach."""
Numbers = Mapping[str, np.ndarray]


def middle_of_test(data: Data) -> np.datetime64:
    """A day with test windows before and after it."""
    days = np.unique(data.test.dates)
    return days[len(days) // 2]


def with_other_future(prices: Path, folder: Path, last_known: np.datetime64) -> Path:
    """Copies of a folder's CSVs in which everything is different after a day; returns the new folder."""
    folder.mkdir()
    for file in prices.glob("*.csv"):
        frame = pd.read_csv(file, index_col="Date", parse_dates=True)
        day = int(frame.index.get_loc(pd.Timestamp(last_known)))
        change_future(frame, day).to_csv(folder / file.name)
    return folder


def known_of_data(data: Data, day: np.datetime64) -> Numbers:
    """What a network may learn from and is compared with: all of it that is known on a day."""
    found = {"scaler": numbers(data.scaler.to_json()), "target scale": data.target_scale}
    for ticker, history in data.histories.items():
        past = history.dates <= day
        for name in ("features", "frame", "volatility"):
            found[f"{name} of {ticker}"] = np.asarray(getattr(history, name))[past]
    for part in ("train", "validation", "test"):
        windows = getattr(data, part)
        past = windows.dates <= day
        for name in ("inputs", "base_prices", "scales"):
            found[f"{part} {name}"] = getattr(windows, name)[past]
        found[f"{part} targets"] = windows.targets[windows.target_dates <= day]
    past = data.test.dates <= day
    return found | {f"forecasts by {name}": forecasts[past] for name, forecasts in data.baselines.items()}


def known_of_run(run: Path, day: np.datetime64) -> Numbers:
    """What a run has found out: its log, its calibration, its forecasts up to a day. Testing comes after training."""
    return {
        "log": numbers(read_history(run)),
        "validation scores": numbers(read_summary(run)["metrics"]["validation"]),
        "calibration": numbers(read_json(run / "forecaster.json")),
        "forecasts": forecasts(run, until=day),
    }


def forecasts(run: Path, *, until: np.datetime64 | None = None, after: np.datetime64 | None = None) -> np.ndarray:
    """Of a run's test part, with their intervals, made up to a day or after it."""
    table = pd.read_parquet(run / "predictions.parquet")
    chosen = table["date"] <= until if until is not None else table["date"] > after
    return table.loc[chosen, ["base_price", "forecast", "lower", "upper"]].to_numpy()


def assert_blind(
    training: Training,
    futures: Sequence[Mapping[str, Any]],
    day: np.datetime64,
    load: Callable[[Mapping[str, Any]], Data],
    weights: Callable[[Path], Numbers],
    folder: Path,
) -> None:
    """Train in two futures, and check that nothing that was known on a day differs, trained weights included.

    Args:
        training: of the project.
        futures: the options by which the two differ, such as the folder of prices.
        day: in the test part, after which they differ.
        load: the project's data, given all options.
        weights: of a run's best epoch, by name.
        folder: for the runs.
    """
    known, later = [], []
    for number, future in enumerate(futures):
        trained = replace(training, options={**training.options, **future})
        run = trained.whole(folder / f"future {number}")
        known.append({**known_of_data(load(trained.options), day), **known_of_run(run, day), **weights(run)})
        later.append(forecasts(run, after=day))
    assert_unmoved(training.project, known[0], known[1], later=(later[0], later[1]))


def assert_unmoved(project: str, before: Numbers, after: Numbers, *, later: tuple[np.ndarray, np.ndarray]) -> None:
    """Check that no number known on a day is another one in the other future.

    Args:
        project: the console script's name.
        before, after: what was known, in one future and in the other.
        later: numbers of after that day in both; were none of them moved, nothing would be proved.
    """
    assert before.keys() == after.keys()
    moved = {name: _moved(values, after[name]) for name, values in before.items()}
    counts = {"compared": sum(values.size for values in before.values()), "moved": sum(moved.values())}
    record(project, about="future", **counts, later=later[0].size, later_moved=_moved(*later))
    assert not counts["moved"], f"they know what came later: {[name for name, count in moved.items() if count]}"
    assert all(values.size for values in before.values()), "something is compared of each"
    assert _moved(*later) > later[0].size / 2, "the future that was changed is hardly used, so this proves nothing"


def assert_tells_signal_from_luck(project: str, metrics: Mapping[str, Any], *, planted: bool) -> None:
    """Check the test scores of a run on sample prices, with a signal planted in them or with none."""
    test, share = metrics["test"], metrics["gap_closed"]
    low, high = test["skill_ci"]
    about = "planted signal" if planted else "random walk"
    record(project, about=about, skill=test["skill"], skill_ci=[low, high], share_of_oracle=share)
    if planted:
        assert low > 0
        assert share >= SHARE_OF_ORACLE
    else:
        assert low <= 0 <= high
        assert share is None, "there is no gap to close"


def _moved(values: np.ndarray, others: np.ndarray) -> int:
    assert values.shape == others.shape
    return int((~np.isclose(values, others, rtol=0, atol=0, equal_nan=True)).sum())


def numbers(value: Any) -> np.ndarray:
    """All that there are in a JSON value, in order."""
    return np.array(list(_flat(value)), float)


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | np.ndarray):
        for inner in value:
            yield from _flat(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
