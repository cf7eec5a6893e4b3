"""The pictures of a finished forecasting run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.metrics.forecasting import to_prices
from dl_shared.plots import forecasting as plots
from dl_shared.plots.curves import training_curves
from dl_shared.plots.error_analysis import errors_by_group
from dl_shared.runs import Run
from dl_shared.tasks.stocks_data import Data
from dl_shared.tasks.stocks_discussion import Finding, describe_overall

SHOWN_DAYS = 250  # in the pictures of forecasts against actual prices

Forecasts = Float[np.ndarray, "windows horizon"]
Quantiles = Float[np.ndarray, "windows horizon levels"]


def save_pictures(
    run: Run,
    data: Data,
    forecasts: Forecasts,
    quantiles: Quantiles | None,
    levels: Sequence[float],
    metrics: Mapping[str, Any],
    findings: Mapping[str, Finding],
) -> None:
    """Training, methods beside each other, forecasts beside what came, and when they err."""
    history = run.history()
    if any("loss" in row for row in history):
        fig = training_curves(history, {"loss": "loss"})
        run.save_figure(fig, "curves", caption="Loss over training, on training and validation windows.")
    _compare_methods(run, metrics)
    _show_forecasts(run, data, forecasts, quantiles, levels)
    for name, finding in findings.items():
        fig = errors_by_group(
            finding.groups,
            label=finding.label,
            title=f"Errors by {name}",
            nominal=levels[-1] - levels[0] if quantiles is not None else None,
            short=name == "month",
        )
        run.save_figure(fig, f"errors_by_{name}", caption=finding.sentence)


def _compare_methods(run: Run, metrics: Mapping[str, Any]) -> None:
    project = run.path.parent.name
    methods = {project: metrics["test"], **metrics["baselines"]}
    if metrics["optimum"]:
        methods["optimum"] = metrics["optimum"]
    fig = plots.skill_bars({name: scores for name, scores in methods.items() if "skill" in scores}, result=project)
    run.save_figure(fig, "skill", caption=describe_overall(metrics["test"], metrics["baselines"]))
    fig = plots.error_by_horizon({name: scores["horizons"] for name, scores in methods.items()})
    run.save_figure(fig, "methods_by_horizon", caption="Mean absolute error in dollars; the band is the 95 % interval.")


def _show_forecasts(
    run: Run, data: Data, forecasts: Forecasts, quantiles: Quantiles | None, levels: Sequence[float]
) -> None:
    test, ahead = data.test, data.horizon - 1
    days = f"{data.horizon} trading day{'s' * (data.horizon != 1)}"
    rows = np.flatnonzero(test.ticker_ids == 0)[-SHOWN_DAYS:]
    points = to_prices(forecasts[rows], test.base_prices[rows])
    interval, label = None, ""
    if quantiles is not None:
        prices = to_prices(quantiles[rows], test.base_prices[rows])
        interval = prices[:, ahead, 0], prices[:, ahead, -1]
        label = f"{100 * (levels[-1] - levels[0]):.0f} % interval"
        apart = slice(len(rows) % data.horizon, None, data.horizon)  # so that one begins where the one before ends
        fig = plots.forecast_fans(
            test.dates[rows],
            test.base_prices[rows],
            test.target_dates[rows][apart],
            prices[apart],
            levels,
            title=f"{test.tickers[0]}: forecasts of 1 to {days}, and what came",
        )
        run.save_figure(fig, "fans", caption="Each fan was forecast from the days before it; the line came later.")
    fig = plots.forecasts_against_actual(
        test.target_dates[rows, ahead],
        test.target_prices[rows, ahead],
        points[:, ahead],
        test.base_prices[rows],
        title=f"{test.tickers[0]}: forecast {days} before",
        interval=interval,
        interval_label=label,
    )
    run.save_figure(fig, "forecasts", caption="Each point was forecast from the days before it alone.")
    fig = plots.residuals(forecasts[:, ahead], test.targets[:, ahead], title=f"Residuals, {days} ahead")
    run.save_figure(fig, "residuals", caption="Log returns in percent.")
