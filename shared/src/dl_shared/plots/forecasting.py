"""Pictures of forecasts: beside the actual prices, by how far ahead, by when, and beside simpler methods."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dl_shared.plots.style import COLORS, figure

ACTUAL, RESULT, REFERENCE, OTHER = "#000000", COLORS[0], COLORS[1], "#8A8A8A"


def forecasts_against_actual(
    target_dates: Shaped[np.ndarray, " days"],
    actual: Float[np.ndarray, " days"],
    forecast: Float[np.ndarray, " days"],
    persistence: Float[np.ndarray, " days"],
    *,
    title: str,
    interval: tuple[Float[np.ndarray, " days"], Float[np.ndarray, " days"]] | None = None,
    interval_label: str = "90 % interval",
) -> Figure:
    """Prices forecast a fixed number of days earlier, beside what came and beside the price on the day of forecast.

    Below them the errors, since a forecast of tomorrow's price looks good beside any price chart.
    """
    fig, (prices, errors) = figure(title, rows=2, width=7.6, height=5.6, sharex=True, height_ratios=(2, 1))
    if interval is not None:
        prices.fill_between(target_dates, *interval, color=RESULT, alpha=0.2, linewidth=0, label=interval_label)
    prices.plot(target_dates, actual, color=ACTUAL, linewidth=1.4, label="actual")
    prices.plot(target_dates, forecast, color=RESULT, linewidth=1.2, label="forecast")
    prices.plot(target_dates, persistence, color=REFERENCE, linewidth=0.9, linestyle="--", label="persistence")
    prices.set_ylabel("price (dollars, adjusted)")
    prices.legend(fontsize=9, ncols=2)
    errors.axhline(0, color=ACTUAL, linewidth=0.8)
    errors.plot(target_dates, persistence - actual, color=REFERENCE, linewidth=0.9, linestyle="--")
    errors.plot(target_dates, forecast - actual, color=RESULT, linewidth=1.2)
    errors.set_ylabel("error (dollars)")
    _mark_dates(errors)
    return fig


def forecast_ahead(
    known_dates: Shaped[np.ndarray, " days"],
    known: Float[np.ndarray, " days"],
    dates: Shaped[np.ndarray, " horizon"],
    quantiles: Float[np.ndarray, "horizon levels"],
    levels: Sequence[float],
    *,
    title: str,
    actual: Float[np.ndarray, " horizon"] | None = None,
) -> Figure:
    """The last known prices, and after them the median and the intervals of the days that follow.

    Args:
        known_dates, known: of the history to show, prices in dollars.
        dates: the days forecast.
        quantiles: of their prices, ascending.
        levels: symmetric around 0.5; the first and the last span the widest interval.
        actual: the prices that came, NaN on days not known yet.
    """
    fig, axis = figure(title, width=7.6, height=4.4)
    start = [known_dates[-1], *dates]
    bands = np.concatenate([np.full((1, len(levels)), known[-1]), quantiles])
    middle = len(levels) // 2
    widths = [f"{100 * (levels[-1 - i] - levels[i]):.0f}" for i in range(middle)]
    for i in range(middle):
        label = (
            None if i else f"{widths[0]} % interval" + (f", within it {', '.join(widths[1:])} %" if middle > 1 else "")
        )
        axis.fill_between(start, bands[:, i], bands[:, -1 - i], color=RESULT, alpha=0.15, linewidth=0, label=label)
    axis.plot(known_dates, known, color=ACTUAL, linewidth=1.4, label="known")
    axis.plot(start, bands[:, middle], color=RESULT, linewidth=1.6, label="median forecast")
    axis.plot(
        start, np.full(len(start), known[-1]), color=REFERENCE, linewidth=0.9, linestyle="--", label="persistence"
    )
    if actual is not None and np.isfinite(actual).any():
        axis.plot(start, [known[-1], *actual], color=ACTUAL, linewidth=1.4, linestyle=":", label="what came")
    axis.axvline(known_dates[-1], color=OTHER, linewidth=0.8, linestyle=":")
    axis.set_ylabel("price (dollars, adjusted)")
    _mark_dates(axis)
    axis.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    return fig


def forecast_fans(
    dates: Shaped[np.ndarray, " days"],
    prices: Float[np.ndarray, " days"],
    target_dates: Shaped[np.ndarray, "fans horizon"],
    quantiles: Float[np.ndarray, "fans horizon levels"],
    levels: Sequence[float],
    *,
    title: str,
) -> Figure:
    """Forecasts of many days, one after another, over the prices that came.

    Args:
        dates, prices: of the history, dollars.
        target_dates: the days of each forecast.
        quantiles: of their prices, ascending.
        levels: symmetric around 0.5; the first and the last span the widest interval.
    """
    fig, axis = figure(title, width=7.6, height=4.4)
    middle = len(levels) // 2
    for number, (days, bands) in enumerate(zip(target_dates, quantiles, strict=True)):
        for i in range(middle):
            width = f"{100 * (levels[-1 - i] - levels[i]):.0f} % interval"
            label = None if number or i else width
            axis.fill_between(days, bands[:, i], bands[:, -1 - i], color=RESULT, alpha=0.12, linewidth=0, label=label)
        axis.plot(days, bands[:, middle], color=RESULT, linewidth=1.4, label=None if number else "forecast")
    axis.plot(dates, prices, color=ACTUAL, linewidth=1.2, label="what came")
    axis.set_ylabel("price (dollars, adjusted)")
    _mark_dates(axis)
    axis.legend(fontsize=9, ncols=3)
    return fig


def skill_by_period(periods: Mapping[str, Mapping[str, Mapping[str, Any]]], *, result: str) -> Figure:
    """A group of marks for each period, one for each method; the result with its 95 % interval.

    Args:
        periods: label -> method -> a dict with `skill` and, for the result, `skill_ci`.
        result: the method to stand out.
    """
    fig, axis = figure("Skill in each period", width=8.6, height=4.4)
    methods = [name for name in next(iter(periods.values())) if name not in (result, "persistence")]  # that is the line
    place = np.arange(len(periods))
    shift = np.linspace(-0.3, 0.3, len(methods) + 1)
    skills = np.array([period[result]["skill"] for period in periods.values()])
    low, high = np.array([period[result]["skill_ci"] for period in periods.values()]).T
    axis.vlines(place + shift[0], low, high, color=RESULT, linewidth=2.2)
    axis.plot(place + shift[0], skills, "o", color=RESULT, markersize=8, label=_words(result))
    for number, name in enumerate(methods, start=1):
        values = [period[name]["skill"] for period in periods.values()]
        color = COLORS[number % len(COLORS)]
        axis.plot(place + shift[number], values, "D", color=color, markersize=5, label=_words(name))
    axis.axhline(0, color=ACTUAL, linewidth=1, label="persistence")
    axis.set_xticks(place, list(periods), fontsize=9)
    axis.set_ylabel("1 - MAE / MAE of persistence")
    axis.grid(visible=False, axis="x")
    axis.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)
    return fig


def worth_bars(worth: Mapping[str, tuple[float, float, float]], *, label: str) -> Figure:
    """A bar for each change to a recipe: by how much the loss rises with it, and the interval of that.

    Args:
        worth: change -> rise in percent and the ends of its 95 % interval.
        label: of the axis.
    """
    fig, axis = figure("What each part is worth", width=7.6, height=1.3 + 0.45 * len(worth))
    place = np.arange(len(worth))[::-1]
    rise, low, high = np.array(list(worth.values())).T
    axis.barh(place, rise, color=RESULT, height=0.6)
    axis.hlines(place, low, high, color=ACTUAL, linewidth=1.4)
    axis.axvline(0, color=ACTUAL, linewidth=1)
    for y, value, right in zip(place, rise, np.maximum(rise, high), strict=True):
        axis.annotate(
            f"{value:+.2f} %", (max(right, 0), y), (5, 0), textcoords="offset points", va="center", fontsize=9
        )
    axis.set_yticks(place, list(worth))
    axis.set_xlabel(label)
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.18)
    return fig


def error_by_horizon(scores: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """MAE over the days ahead, a line for each method; of the first, the result, with its interval as a band.

    Args:
        scores: method -> the `horizons` of its scores.
    """
    fig, axis = figure("Error by days ahead")
    for number, (name, horizons) in enumerate(scores.items()):
        ahead = np.array([int(step) for step in horizons])
        values = np.array([row["mae"] for row in horizons.values()])
        color = ACTUAL if name == "optimum" else COLORS[number % len(COLORS)]
        width, line = (2.2, "-") if number == 0 else (1.3, ":" if name == "optimum" else "-")
        axis.plot(ahead, values, line, color=color, marker="o", markersize=4, linewidth=width, label=_words(name))
        if number == 0 and all("mae_ci" in row for row in horizons.values()):
            low, high = np.array([row["mae_ci"] for row in horizons.values()]).T
            axis.fill_between(ahead, low, high, color=color, alpha=0.18, linewidth=0)
    axis.set_xlabel("trading days ahead")
    axis.set_ylabel("MAE (dollars)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(fontsize=9)
    return fig


def residuals(
    forecasts: Float[np.ndarray, " rows"], targets: Float[np.ndarray, " rows"], *, title: str = "Residuals"
) -> Figure:
    """How the errors are spread, beside a normal curve of the same deviation, and how they go with the forecast.

    Args:
        forecasts: log returns.
        targets: the actual ones.
    """
    error = 100 * (forecasts - targets)
    fig, (left, right) = figure(title, cols=2, width=8.6)
    edge = np.quantile(np.abs(error), 0.999)
    left.hist(error, bins=np.linspace(-edge, edge, 61), density=True, color=RESULT, alpha=0.75)
    grid, deviation = np.linspace(-edge, edge, 301), error.std()
    if deviation > 0:
        normal = np.exp(-0.5 * ((grid - error.mean()) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
        left.plot(grid, normal, color=REFERENCE, linewidth=1.6, label="normal, same deviation")
        left.legend(fontsize=9)
    left.set_yscale("log")
    left.set_ylim(bottom=1e-4)
    left.set_xlabel("forecast minus actual (%)")
    left.set_ylabel("density")
    shown = np.random.default_rng(0).permutation(len(error))[:4000]  # more points than that hide each other
    right.scatter(100 * forecasts[shown], 100 * targets[shown], s=5, color=RESULT, alpha=0.25, linewidths=0)
    right.axhline(0, color=REFERENCE, linewidth=1.2, linestyle="--", label="no relation")
    span = 100 * np.quantile(np.abs(forecasts), [0.999]) + 1e-9
    line = np.array([-span[0], span[0]])
    right.plot(line, line, color=ACTUAL, linewidth=1.2, label="perfect forecast")
    right.set_ylim(-edge, edge)
    right.set_xlabel("forecast return (%)")
    right.set_ylabel("actual return (%)")
    right.legend(fontsize=9)
    return fig


def skill_bars(scores: Mapping[str, Mapping[str, Any]], *, result: str) -> Figure:
    """1 - MAE / MAE of persistence for each method, with its interval; above 0 is better than persistence.

    Args:
        scores: method -> a dict with `skill` and, where known, `skill_ci`.
        result: the method to stand out.
    """
    names = sorted(scores, key=lambda name: scores[name]["skill"])
    skills = np.array([scores[name]["skill"] for name in names])
    intervals = np.array([scores[name].get("skill_ci", [scores[name]["skill"]] * 2) for name in names])
    fig, axis = figure("Skill against persistence", height=1.2 + 0.45 * len(names))
    colors = [RESULT if name == result else COLORS[2] if name == "optimum" else OTHER for name in names]
    place = np.arange(len(names))
    axis.barh(place, skills, color=colors, height=0.65)
    axis.hlines(place, intervals[:, 0], intervals[:, 1], color=ACTUAL, linewidth=1.4)
    axis.axvline(0, color=ACTUAL, linewidth=1)
    right = max(intervals.max(), skills.max(), 0.0)
    for y, value in zip(place, skills, strict=True):
        axis.annotate(f"{value:+.3f}", (right, y), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axis.set_yticks(place, [_words(name) for name in names])
    axis.set_xlabel("skill (bars), 95 % bootstrap interval (lines)")
    axis.grid(visible=False, axis="y")
    axis.margins(x=0.12)
    return fig


def _mark_dates(axis: Axes) -> None:
    locator = AutoDateLocator()
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))


def _words(name: str) -> str:
    return name.replace("_", " ")
