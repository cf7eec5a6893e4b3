"""Forecasting daily prices: load -> baselines -> score -> pictures, the same for every framework.

A project fits a model on `data.train`, chooses by `data.validation`, forecasts `data.test` once, and hands the
cumulative log returns to `report`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dl_shared.data.windows import Windows
from dl_shared.metrics import gap_closed
from dl_shared.metrics.forecasting import diebold_mariano, score_intervals, sum_by, to_prices
from dl_shared.plots import forecasting as plots
from dl_shared.plots.curves import training_curves
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.tasks.evaluation import save_evaluation
from dl_shared.tasks.stocks_data import Data, History, load, load_history

__all__ = ["Data", "History", "evaluate", "load", "load_history", "record_data", "report"]

SHOWN_DAYS = 250  # in the picture of forecasts against actual prices
MONTHS = ("J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D")


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that an unfinished run tells too."""
    run.record_data(
        source=data.source,
        fingerprint=data.fingerprint,
        rows=data.rows,
        tickers={"train": list(data.train.tickers), "test": list(data.test.tickers)},
        validation_from=str(data.cuts.validation_from),
        test_from=str(data.cuts.test_from),
        features=list(data.features),
        repairs=list(data.notes),
    )


def report(
    run: Run,
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    *,
    quantiles: Float[np.ndarray, "windows horizon levels"] | None = None,
    levels: Sequence[float] = (),
    validation_forecasts: Float[np.ndarray, "validation horizon"] | None = None,
) -> dict[str, Any]:
    """Score the test part, beside baselines and optimum, and write predictions, pictures and the page of the run.

    Args:
        run: still open, with its data recorded; its history becomes the curves.
        data: as loaded.
        forecasts: cumulative log returns for each test window, in order; the median if the model gives quantiles.
        quantiles: of the same, ascending along the last axis, where the model gives them.
        levels: their levels, such as (0.05, 0.5, 0.95).
        validation_forecasts: likewise for the validation part, when at hand.

    Returns:
        The `metrics` of summary.json: `test`, `validation`, `baseline` (persistence), `baselines` (every classical
        method, with the p-value of the Diebold-Mariano test against it), `optimum`, `gap_closed` (of the MAE).

    Raises:
        ValueError: if rows are missing or not finite, or quantiles descend.
    """
    metrics = _metrics(data, forecasts, quantiles, levels)
    if validation_forecasts is not None:
        _check(validation_forecasts, data.validation)
        metrics["validation"] = data.score(validation_forecasts, part="validation")
    run.update("metrics", **metrics)
    run.save_predictions(_predictions(data.test, forecasts, quantiles))
    _save_pictures(run, data, forecasts, quantiles, levels, metrics)
    write_page(run.path)
    return metrics


def evaluate(
    run_path: Path,
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    *,
    quantiles: Float[np.ndarray, "windows horizon levels"] | None = None,
    levels: Sequence[float] = (),
) -> dict[str, Any]:
    """Score a finished run's forecasts of other data; kept under RUN/evaluations/.

    Args:
        run_path: the run directory.
        data: loaded with the run's `scaler`, lookback, horizon and features.
        forecasts, quantiles, levels: as for `report`.
    """
    metrics = _metrics(data, forecasts, quantiles, levels)
    described = {"source": data.source, "fingerprint": data.fingerprint, "rows": {"test": len(data.test)}}
    save_evaluation(run_path, data=described, metrics=metrics)
    return metrics


def _metrics(
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    quantiles: Float[np.ndarray, "windows horizon levels"] | None,
    levels: Sequence[float],
) -> dict[str, Any]:
    test = data.test
    _check(forecasts, test)
    scores = data.score(forecasts)
    if quantiles is not None:
        if quantiles.shape != (*forecasts.shape, len(levels)) or not (np.diff(quantiles, axis=-1) >= 0).all():
            raise ValueError(f"need ascending quantiles of shape {(*forecasts.shape, len(levels))}")
        spread = score_intervals(quantiles, test.targets, test.base_prices, levels, dates=test.dates)
        by_horizon = {step: row | spread["horizons"][step] for step, row in scores["horizons"].items()}
        scores = scores | spread | {"horizons": by_horizon}

    baselines = {name: data.score(forecast) for name, forecast in data.baselines.items()}
    losses = _absolute_errors(forecasts, test)
    for name, forecast in data.baselines.items():
        other = _absolute_errors(forecast, test)
        statistic, p_value = diebold_mariano(losses, other, horizon=data.horizon, dates=test.dates)
        baselines[name]["diebold_mariano"] = {"statistic": statistic, "p_value": p_value}
    baseline, optimum = baselines["persistence"], data.optimum
    meaningful = optimum is not None and optimum["mae"] != baseline["mae"]
    return {
        "test": scores,
        "baseline": {"name": "persistence: tomorrow's price is today's", **baseline},
        "baselines": baselines,
        "optimum": optimum,
        "gap_closed": gap_closed(scores["mae"], baseline["mae"], optimum["mae"]) if meaningful and optimum else None,
    }


def _check(forecasts: np.ndarray, windows: Windows) -> None:
    if forecasts.shape != windows.targets.shape or not np.isfinite(forecasts).all():
        raise ValueError(f"need finite forecasts of shape {windows.targets.shape}, got {forecasts.shape}")


def _absolute_errors(
    forecasts: Float[np.ndarray, "windows horizon"], windows: Windows
) -> Float[np.ndarray, " windows"]:
    """Mean over the days ahead, dollars."""
    return np.abs(to_prices(forecasts, windows.base_prices) - windows.target_prices).mean(axis=1)


def _predictions(
    test: Windows,
    forecasts: Float[np.ndarray, "windows horizon"],
    quantiles: Float[np.ndarray, "windows horizon levels"] | None,
) -> pd.DataFrame:
    """A row for each test window and day ahead; prices in dollars, adjusted."""
    windows, horizon = forecasts.shape
    columns: dict[str, Any] = {
        "ticker": np.repeat(np.asarray(test.tickers)[test.ticker_ids], horizon),
        "date": np.repeat(test.dates, horizon).astype("datetime64[s]"),
        "days_ahead": np.tile(np.arange(1, horizon + 1), windows),
        "target_date": test.target_dates.ravel().astype("datetime64[s]"),
        "base_price": np.repeat(test.base_prices, horizon),
        "actual": test.target_prices.ravel(),
        "forecast": to_prices(forecasts, test.base_prices).ravel(),
    }
    if quantiles is not None:
        prices = to_prices(quantiles, test.base_prices)
        columns |= {"lower": prices[..., 0].ravel(), "upper": prices[..., -1].ravel()}
    return pd.DataFrame(columns)


def _save_pictures(
    run: Run,
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    quantiles: Float[np.ndarray, "windows horizon levels"] | None,
    levels: Sequence[float],
    metrics: Mapping[str, Any],
) -> None:
    history = run.history()
    if any("loss" in row for row in history):
        fig = training_curves(history, {"loss": "loss"})
        run.save_figure(fig, "curves", caption="Loss over training, on training and validation windows.")

    methods = {run.path.parent.name: metrics["test"], **metrics["baselines"]}
    if metrics["optimum"]:
        methods["optimum"] = metrics["optimum"]
    known = {name: scores for name, scores in methods.items() if "skill" in scores}
    fig = plots.skill_bars(known, result=run.path.parent.name)
    run.save_figure(fig, "skill", caption="Share of persistence's error that each method avoids, over all days ahead.")
    fig = plots.error_by_horizon({name: scores["horizons"] for name, scores in methods.items()})
    run.save_figure(fig, "error_by_horizon", caption="Mean absolute error in dollars; the band is the 95 % interval.")

    test, ahead = data.test, data.horizon - 1
    rows = np.flatnonzero(test.ticker_ids == 0)[-SHOWN_DAYS:]
    interval, label = None, ""
    if quantiles is not None:
        prices = to_prices(quantiles[rows], test.base_prices[rows])[:, ahead]
        interval, label = (prices[:, 0], prices[:, -1]), f"{100 * (levels[-1] - levels[0]):.0f} % interval"
    fig = plots.forecasts_against_actual(
        test.target_dates[rows, ahead],
        test.target_prices[rows, ahead],
        to_prices(forecasts[rows], test.base_prices[rows])[:, ahead],
        test.base_prices[rows],
        title=f"{test.tickers[0]}: forecast {_days(data.horizon)} before",
        interval=interval,
        interval_label=label,
    )
    run.save_figure(fig, "forecasts", caption="Each point was forecast from the days before it alone.")
    fig = plots.residuals(forecasts[:, ahead], test.targets[:, ahead], title=f"Residuals, {_days(data.horizon)} ahead")
    run.save_figure(fig, "residuals", caption="Log returns in percent.")
    fig = plots.error_by_group(_groups(data, forecasts))
    run.save_figure(fig, "error_by_group", caption="Volatility: of the ticker's month before the forecast, in thirds.")


def _days(number: int) -> str:
    return f"{number} trading day{'s' * (number != 1)}"


def _groups(
    data: Data, forecasts: Float[np.ndarray, "windows horizon"]
) -> dict[str, tuple[list[str], Float[np.ndarray, " groups"], Float[np.ndarray, " groups"]]]:
    """Errors in percent of the base price, by calendar month and by volatility before the forecast."""
    test = data.test
    columns = [forecasts, np.zeros_like(forecasts)]
    actual = np.exp(test.targets)
    errors = np.stack([100 * np.abs(np.exp(column) - actual).mean(axis=1) for column in columns], axis=1)
    month = test.dates.astype("datetime64[M]").astype(int) % 12
    volatility = np.concatenate([_recent_volatility(data, number) for number in range(len(test.tickers))])
    regime = np.searchsorted(np.quantile(volatility, [1 / 3, 2 / 3]), volatility)
    found = {}
    for label, names, group in (("month", MONTHS, month), ("volatility", ("calm", "middle", "wild"), regime)):
        counts = np.bincount(group, minlength=len(names))
        means = sum_by(errors, group, len(names)) / np.maximum(counts, 1)[:, None]
        found[label] = list(names), means[:, 0], means[:, 1]
    return found


def _recent_volatility(data: Data, number: int) -> Float[np.ndarray, " windows"]:
    """Root mean square return of the 20 days up to each of a test ticker's days t."""
    history = data.histories[data.test.tickers[number]]
    days = np.searchsorted(history.dates, data.test.dates[data.test.ticker_ids == number])
    squared = pd.Series(np.log(history.frame["close"])).diff() ** 2
    return np.sqrt(squared.rolling(20, min_periods=1).mean().fillna(0.0).to_numpy()[days])
