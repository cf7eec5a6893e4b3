"""The verb `backtest`: trained anew before each of several periods, and tested in it beside the classical methods."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.data.backtest import rolling_origin
from dl_shared.data.windows import Windows
from dl_shared.files import atomic_path
from dl_shared.metrics.forecasting import diebold_mariano, score_forecasts, score_intervals, to_prices
from dl_shared.plots.forecasting import skill_by_period
from dl_shared.progress import say
from dl_shared.tasks.stocks import load_data
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.devices import training_mesh
from flax_projects.stocks.calibration import Quantiles
from flax_projects.stocks.config import Config
from flax_projects.stocks.options import BacktestOptions
from flax_projects.stocks.train import MEDIAN, PROJECT, fit_quietly

COLUMNS = ("mae", "skill", "skill_low", "skill_high", "mase", "directional_accuracy", "crps", "coverage", "p_value")
Scores = dict[str, dict[str, Any]]  # by method


def backtest(config: Config, options: BacktestOptions) -> list[dict[str, Any]]:
    """Train and test each fold; writes backtest.csv and backtest.png. One row for each period, and one for all."""
    mesh = training_mesh(config)
    whole = load_data(config)
    dates = np.concatenate([history.dates for history in whole.histories.values()])
    cuts = rolling_origin(
        dates,
        folds=options.folds,
        horizon=config.horizon,
        test_days=options.test_days,
        validation_days=options.validation_days,
        train_days=options.train_days,
    )
    periods: dict[str, Scores] = {}
    tested: list[tuple[Windows, Quantiles, dict[str, np.ndarray]]] = []
    for number, cut in enumerate(cuts, start=1):
        data = load_data(config, cuts=cut)
        say(f"fold {number} of {len(cuts)}: {len(data.train):,} training windows up to {cut.validation_from}")
        quantiles = fit_quietly(config, data, mesh).forecast(data.test)
        tested.append((data.test, quantiles, data.baselines))
        label = f"{data.test.dates.min()} to {data.test.target_dates.max()}"
        periods[label] = score_methods(*tested[-1])
    periods["all periods"] = pooled(tested)
    write_table(options.output / "backtest.csv", periods)
    picture = skill_by_period({_short(label): scores for label, scores in periods.items()}, result=PROJECT)
    with atomic_path(options.output / "backtest.png") as temporary:
        picture.savefig(temporary, dpi=160)
    say(f"table and picture are in {options.output}")
    return [row_of(label, scores) for label, scores in periods.items()]


def score_methods(
    test: Windows, quantiles: Quantiles, baselines: Mapping[str, Float[np.ndarray, "windows horizon"]]
) -> Scores:
    """The scores of the ensemble and of each classical method over some test windows.

    Each method has the p-value of the Diebold-Mariano test of its absolute errors against persistence.
    """

    def errors(forecasts: Float[np.ndarray, "windows horizon"]) -> Float[np.ndarray, " windows"]:
        return np.abs(to_prices(forecasts, test.base_prices) - test.target_prices).mean(axis=1)

    unmoved = errors(np.zeros_like(test.targets))
    methods = {PROJECT: quantiles[..., MEDIAN], **baselines}
    found = {}
    for name, forecasts in methods.items():
        scores = score_forecasts(forecasts, test.targets, test.base_prices, scales=test.scales, dates=test.dates)
        _, p_value = diebold_mariano(errors(forecasts), unmoved, horizon=test.horizon, dates=test.dates)
        low, high = scores.get("skill_ci", (np.nan, np.nan))
        found[name] = scores | {"skill_low": low, "skill_high": high, "p_value": p_value}
    spread = score_intervals(quantiles, test.targets, test.base_prices, LEVELS, dates=test.dates)
    found[PROJECT] |= {name: value for name, value in spread.items() if name != "horizons"}
    return found


def pooled(tested: Sequence[tuple[Windows, Quantiles, dict[str, np.ndarray]]]) -> Scores:
    """The scores over the windows of all folds together."""
    first = tested[0][0]
    by_row = ("ends", "targets", "base_prices", "scales", "dates", "target_dates", "ticker_ids")
    arrays = {name: np.concatenate([getattr(windows, name) for windows, _, _ in tested]) for name in by_row}
    together = Windows(series=first.series, lookback=first.lookback, tickers=first.tickers, **arrays)
    baselines = {name: np.concatenate([each[name] for _, _, each in tested]) for name in tested[0][2]}
    return score_methods(together, np.concatenate([quantiles for _, quantiles, _ in tested]), baselines)


def write_table(path: Path, periods: Mapping[str, Scores]) -> None:
    """A line for each period and method."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["period", "method", *COLUMNS])
        for label, scores in periods.items():
            for name, values in scores.items():
                writer.writerow([label, name, *(values.get(column, "") for column in COLUMNS)])


def row_of(label: str, scores: Scores) -> dict[str, Any]:
    """What is printed of a period: skill and coverage of the ensemble, and the skill of each classical method."""
    own = scores[PROJECT]
    others = {name: values["skill"] for name, values in scores.items() if name not in (PROJECT, "persistence")}
    return {
        "period": label,
        "skill": own["skill"],
        "skill_ci": own["skill_ci"],
        "p_value": own["p_value"],
        "coverage": own["coverage"],
        "crps": own["crps"],
    } | others


def _short(label: str) -> str:
    """Two lines under the axis."""
    return label.replace(" to ", "\nto ")
