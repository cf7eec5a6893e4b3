"""A finished network at work: tested once with calibrated intervals, and asked for days that nobody knows yet.

For networks that forecast one number for each day ahead, in the units of `stocks_outputs`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int

from dl_shared.data.splits import Cuts
from dl_shared.data.windows import Windows
from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.metrics.forecasting import score_intervals
from dl_shared.plots.forecasting import forecast_ahead
from dl_shared.progress import say
from dl_shared.runs import Run, read_summary
from dl_shared.tasks import stocks
from dl_shared.tasks.options import ForecastAsOf
from dl_shared.tasks.stocks_config import StocksConfig
from dl_shared.tasks.stocks_outputs import Outputs

PredictRows = Callable[
    [Float32[np.ndarray, "rows features"], Int[np.ndarray, " windows"], int], Float32[np.ndarray, "windows horizon"]
]
"""What a network puts out for windows of scaled features, given as all rows, the rows where windows end, and their
length."""


def predict(network: PredictRows, windows: Windows) -> Float32[np.ndarray, "windows horizon"]:
    """What the network puts out on the last day of each window of a part."""
    return network(windows.series, windows.ends, windows.lookback)


def report_test(run: Run, data: stocks.Data, outputs: Outputs, network: PredictRows) -> None:
    """Calibrate the intervals on the validation part, keep them in the run, and score the test part.

    Beside them, under `fixed_intervals`, stand those that stay as validation made them.
    """
    test = data.test
    validated, forecasts = (
        outputs.to_returns(predict(network, part), data.volatility(name))
        for name, part in (("validation", data.validation), ("test", test))
    )
    outputs = outputs.calibrated(data, validated)
    outputs.save(run.path)
    metrics = stocks.report(
        run,
        data,
        forecasts,
        quantiles=outputs.test_quantiles(data, forecasts),
        levels=outputs.levels,
        validation_forecasts=validated,
    )
    fixed = outputs.unmoved().test_quantiles(data, forecasts)
    before = score_intervals(fixed, test.targets, test.base_prices, outputs.levels, dates=test.dates)
    run.update("metrics", fixed_intervals=before)
    say(
        f"90 % intervals cover {metrics['test']['coverage']:.3f} of test targets, {before['coverage']:.3f} as they were"
        " after validation"
    )
    for finding in metrics["analysis"].values():
        say(finding["sentence"])


def own_cuts(run: Path) -> Cuts:
    """The dates between the parts of a run."""
    known = read_summary(run)["data"]
    return Cuts(np.datetime64(known["validation_from"]), np.datetime64(known["test_from"]))


def evaluate(run: Path, data: stocks.Data, outputs: Outputs, network: PredictRows) -> dict[str, Any]:
    """Score a finished run on the test part of other data; kept under RUN/evaluations/."""
    forecasts = outputs.to_returns(predict(network, data.test), data.volatility())
    quantiles = outputs.test_quantiles(data, forecasts)
    return stocks.evaluate(run, data, forecasts, quantiles=quantiles, levels=outputs.levels)


def forecast(
    options: ForecastAsOf, config: StocksConfig, history: stocks.History, outputs: Outputs, network: PredictRows
) -> list[dict[str, Any]]:
    """A row for each day ahead: date, price, 90 % interval, actual price where it is known; a picture in RUN/plots.

    Dates nobody knows yet are Mondays to Fridays: which of them will be holidays is not known here.

    Args:
        options: of the verb.
        config: of the run.
        history: of the company, see `stocks.load_company`.
        outputs: of the run.
        network: of the run.

    Raises:
        InputError: if the history has other columns than the run's or is shorter than a window, or the day to forecast
            from is one that the run has learned from.
    """
    run = Path(options.run)
    if history.features.shape[1] != len(outputs.features):
        raise InputError(
            f"{run} was trained on {', '.join(outputs.features)}; {options.ticker} comes with"
            f" {history.features.shape[1]} columns. Give the --exogenous file with the same series"
        )
    test_from = own_cuts(run).test_from
    last = _last_known(history, options.as_of, test_from, config.lookback)
    tracked_from = max(int(np.searchsorted(history.dates, test_from)), config.lookback - 1)
    ends = np.arange(min(tracked_from, last), last + 1)
    values = outputs.scaler.transform(history.features).astype(np.float32)
    forecasts = outputs.to_returns(network(values, ends, config.lookback), history.volatility[ends])
    return _show(options, run, history, last, last_quantiles(outputs, history, ends, forecasts), outputs.levels)


def last_quantiles(
    outputs: Outputs,
    history: stocks.History,
    ends: Int[np.ndarray, " days"],
    forecasts: Float[np.ndarray, "days horizon"],
) -> Float[np.ndarray, "horizon levels"]:
    """Those of the newest of successive forecasts, whose intervals know how the earlier ones have fared."""
    horizon = forecasts.shape[1]
    log_price = np.append(np.log(history.close[: ends[-1] + 1]), np.full(horizon, np.nan))
    targets = log_price[ends[:, None] + np.arange(1, horizon + 1)] - log_price[ends, None]
    one_company = np.zeros(len(ends), int)
    return outputs.quantiles(forecasts, targets, history.volatility[ends], one_company)[-1]


def _last_known(history: stocks.History, as_of: str | None, test_from: np.datetime64, lookback: int) -> int:
    """The row of the day to forecast from."""
    try:
        day = history.dates[-1] if as_of is None else np.datetime64(as_of, "D")
    except ValueError:
        raise InputError(f"--as-of must be a date like 2022-12-30, got {as_of!r}") from None
    last = int(np.searchsorted(history.dates, day, side="right")) - 1
    if last < lookback - 1:
        raise InputError(
            f"the history has {last + 1} days up to {day} after the features' first days, fewer than the {lookback}"
            " that a forecast needs"
        )
    if as_of is not None and day < test_from:
        raise InputError(f"the run has learned from the days before {test_from}; give a later --as-of")
    return last


def _show(
    options: ForecastAsOf,
    run: Path,
    history: stocks.History,
    last: int,
    quantiles: Float[np.ndarray, "horizon levels"],
    levels: Sequence[float],
) -> list[dict[str, Any]]:
    """Draw the forecast beside what is known, and make a row of each day."""
    day, horizon = history.dates[last], len(quantiles)
    prices = history.close[last] * np.exp(quantiles)
    came = history.close[last + 1 : last + 1 + horizon]
    actual = np.append(came, np.full(horizon - len(came), np.nan))
    dates = history.dates[last + 1 : last + 1 + horizon]
    start = dates[-1] if len(dates) else day
    dates = np.append(dates, np.busday_offset(start, np.arange(1, horizon - len(came) + 1), roll="backward"))
    shown = slice(max(0, last + 1 - options.shown_days), last + 1)
    title = f"{options.ticker} after {day}"
    figure = forecast_ahead(
        history.dates[shown], history.close[shown], dates, prices, levels, title=title, actual=actual
    )
    picture = run / "plots" / f"forecast-{options.ticker.replace('/', '_')}-{day}.png"
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, metadata={"Description": f"Forecast from the days up to {day} alone."})
    say(f"picture  {picture}")
    return [
        {
            "ticker": options.ticker,
            "known_until": str(day),
            "date": str(date),
            "days_ahead": ahead,
            "price": float(row[len(levels) // 2]),
            "lower": float(row[0]),
            "upper": float(row[-1]),
            "actual": float(price) if np.isfinite(price) else None,
        }
        for ahead, (date, row, price) in enumerate(zip(dates, prices, actual, strict=True), start=1)
    ]
