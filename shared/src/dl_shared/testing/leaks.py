"""Does a forecaster see the future? What it knew on some day is compared between two futures after that day.

And does it tell a signal from luck? It must find the one that was planted, and none in a random walk.
"""

from collections.abc import Callable, Iterator, Mapping
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
Change = Callable[[Path, np.datetime64], Path]
"""Copies a file or folder, with everything different after a day; returns the copy."""


def middle_of_test(data: Data) -> np.datetime64:
    """A day with test windows before and after it."""
    days = np.unique(data.test.dates)
    return days[len(days) // 2]


def with_other_future(prices: Path, last_known: np.datetime64) -> Path:
    """A copy of a folder of CSVs, beside it, in which all prices after a day are others; see `Change`."""
    folder = prices.with_name(f"other {prices.name}")
    folder.mkdir()
    for file in prices.glob("*.csv"):
        frame = pd.read_csv(file, index_col="Date", parse_dates=True)
        day = int(frame.index.get_loc(pd.Timestamp(last_known)))
        change_future(frame, day).to_csv(folder / file.name)
    return folder


def known_of_data(data: Data, day: np.datetime64) -> Numbers:
    """What a network learns from and is compared with, as far as it is known on a day."""
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
    """A run's log, validation scores, calibration, and forecasts up to a day of the test part."""
    return {
        "log": numbers(read_history(run)),
        "validation scores": numbers(read_summary(run)["metrics"]["validation"]),
        "calibration": numbers(read_json(run / "forecaster.json")),
        "forecasts": forecasts(run, until=day),
    }


def forecasts(run: Path, *, until: np.datetime64 | None = None, after: np.datetime64 | None = None) -> np.ndarray:
    """Forecasts of a run's test part with their intervals, made `until` a day (included) or `after` it."""
    table = pd.read_parquet(run / "predictions.parquet")
    chosen = table["date"] <= until if until is not None else table["date"] > after
    return table.loc[chosen, ["base_price", "forecast", "lower", "upper"]].to_numpy()


def assert_blind(
    training: Training,
    load: Callable[[Mapping[str, Any]], Data],
    weights: Callable[[Path], Numbers],
    folder: Path,
    changes: Mapping[str, Change] = {"data": with_other_future},
) -> None:
    """Train in two futures, and check that nothing that was known before them differs, trained weights included.

    They part on a day in the middle of the test part.

    Args:
        training: of the project, in the first future.
        load: the project's data, given all options.
        weights: of a run's best epoch, by name.
        folder: for the runs.
        changes: what makes the second future of a path among the options, by the option's name.
    """
    day = middle_of_test(load(training.options))
    others = {name: str(change(Path(training.options[name]), day)) for name, change in changes.items()}
    known: list[Numbers] = []
    later: list[np.ndarray] = []
    for future in (training, replace(training, options={**training.options, **others})):
        run = future.whole(folder / f"runs {len(known)}")
        known.append({**known_of_data(load(future.options), day), **known_of_run(run, day), **weights(run)})
        later.append(forecasts(run, after=day))
    assert_unmoved(training.project, known[0], known[1], later=(later[0], later[1]))


def assert_unmoved(project: str, before: Numbers, after: Numbers, *, later: tuple[np.ndarray, np.ndarray]) -> None:
    """Check that every number known on a day is the same in both futures.

    Args:
        project: the console script's name.
        before, after: what was known, in one future and in the other.
        later: numbers from after that day in both; if they did not move, nothing would be proved.
    """
    assert before.keys() == after.keys()
    moved = {name: _moved(values, after[name]) for name, values in before.items()}
    counts = {"compared": sum(values.size for values in before.values()), "moved": sum(moved.values())}
    record(project, about="future", **counts, later=later[0].size, later_moved=_moved(*later))
    assert not counts["moved"], f"they know what came later: {[name for name, count in moved.items() if count]}"
    assert all(values.size for values in before.values()), "something is compared of each"
    assert _moved(*later) > later[0].size / 2, "the future that was changed is hardly used, so this proves nothing"


def assert_tells_signal_from_luck(summary: Mapping[str, Any], *, planted: bool) -> None:
    """Check the test scores of a run on sample prices, with a signal planted in them or with none."""
    test, share = summary["metrics"]["test"], summary["metrics"]["gap_closed"]
    low, high = test["skill_ci"]
    about = "planted signal" if planted else "random walk"
    record(summary["project"], about=about, skill=test["skill"], skill_ci=[low, high], share_of_oracle=share)
    if planted:
        assert low > 0
        assert share >= SHARE_OF_ORACLE
    else:
        assert low <= 0 <= high
        assert share is None, "there is no gap to close"
    assert 0.88 <= test["coverage"] <= 0.92, "of 90 % intervals"


def _moved(values: np.ndarray, others: np.ndarray) -> int:
    assert values.shape == others.shape
    return int((~np.isclose(values, others, rtol=0, atol=0, equal_nan=True)).sum())


def numbers(value: Any) -> np.ndarray:
    """All numbers in a JSON value, in order."""
    return np.array(list(_flat(value)), float)


def _flat(value: Any) -> Iterator[float]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple | np.ndarray):
        for inner in value:
            yield from _flat(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
