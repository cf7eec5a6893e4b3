"""A finished run, applied to other companies, and to days that nobody knows yet or that have come since."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from dl_shared.data.splits import Cuts
from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.plots.forecasting import forecast_ahead
from dl_shared.progress import say
from dl_shared.runs import read_config, read_summary
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs, load_outputs
from lightning_projects.checkpoints import load_checkpoint
from lightning_projects.stocks.config import LEVELS, Config
from lightning_projects.stocks.train import Predictor, load_data, restore_network

MEDIAN = len(LEVELS) // 2


def evaluate(options: Any) -> dict[str, Any]:
    """Score a run on other data from the first day of its own test period on; kept under RUN/evaluations/."""
    run = Path(options.run)
    config, predictor, outputs = load_run(run)
    known = read_summary(run)["data"]
    cuts = Cuts(np.datetime64(known["validation_from"]), np.datetime64(known["test_from"]))
    data = load_data(config, source=options.data, tickers=options.tickers, cuts=cuts, scaler=outputs.scaler)
    forecasts = outputs.to_returns(predictor(data.test), data.volatility())
    return stocks.evaluate(run, data, forecasts, quantiles=outputs.test_quantiles(data, forecasts), levels=LEVELS)


def forecast(options: Any) -> list[dict[str, Any]]:
    """A row for each day ahead: date, price, 90 % interval, actual price where it is known; a picture in RUN/plots.

    Dates nobody knows yet are Mondays to Fridays: which of them will be holidays is not known here.

    Raises:
        InputError: if the company is unknown, its history is shorter than a window, or the day to forecast from is one
            that the run has learned from.
    """
    run = Path(options.run)
    config, predictor, outputs = load_run(run)
    history = stocks.load_history(
        options.data or config.data,
        options.ticker,
        seed=config.seed,
        features=config.features,
        exogenous=options.exogenous or config.exogenous,
        exogenous_lag_days=config.exogenous_lag_days,
        sample_signal=config.sample_signal,
    )
    if history.features.shape[1] != len(outputs.features):
        raise InputError(
            f"{run} was trained on {', '.join(outputs.features)}; {options.ticker} comes with"
            f" {history.features.shape[1]} columns. Give the --exogenous file with the same series"
        )
    test_from = np.datetime64(read_summary(run)["data"]["test_from"])
    last = _last_known(history, options.as_of, test_from, config.lookback)
    tracked_from = max(int(np.searchsorted(history.dates, test_from)), config.lookback - 1)
    ends = np.arange(min(tracked_from, last), last + 1)
    values = outputs.scaler.transform(history.features).astype(np.float32)
    forecasts = outputs.to_returns(predictor.rows(values, ends, config.lookback), history.volatility[ends])
    quantiles = last_quantiles(outputs, history, ends, forecasts)
    return _show(options, run, history, last, quantiles)


def last_quantiles(
    outputs: Outputs,
    history: stocks.History,
    ends: np.ndarray,
    forecasts: Float[np.ndarray, "days horizon"],
) -> Float[np.ndarray, "horizon levels"]:
    """Those of the newest of successive forecasts, whose intervals know how the earlier ones have fared."""
    horizon = forecasts.shape[1]
    log_price = np.append(np.log(history.close[: ends[-1] + 1]), np.full(horizon, np.nan))
    targets = log_price[ends[:, None] + np.arange(1, horizon + 1)] - log_price[ends, None]
    one_company = np.zeros(len(ends), int)
    return outputs.quantiles(forecasts, targets, history.volatility[ends], one_company)[-1]


def load_run(run: Path) -> tuple[Config, Predictor, Outputs]:
    """The options of a finished run, its best network, and what turns the network's outputs into forecasts.

    Raises:
        InputError: if the run is not finished, or a file of it is damaged.
    """
    config, outputs = read_config(run, Config), load_outputs(run)
    path = run / "checkpoints" / "best.ckpt"
    if not path.exists():
        raise InputError(f"{run} has lost its checkpoint best.ckpt; train anew")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    state = load_checkpoint(path)["state_dict"]
    return config, Predictor(restore_network(config, state, len(outputs.features)), device), outputs


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
    options: Any, run: Path, history: stocks.History, last: int, quantiles: Float[np.ndarray, "horizon levels"]
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
        history.dates[shown], history.close[shown], dates, prices, LEVELS, title=title, actual=actual
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
            "price": float(row[MEDIAN]),
            "lower": float(row[0]),
            "upper": float(row[-1]),
            "actual": float(price) if np.isfinite(price) else None,
        }
        for ahead, (date, row, price) in enumerate(zip(dates, prices, actual, strict=True), start=1)
    ]
