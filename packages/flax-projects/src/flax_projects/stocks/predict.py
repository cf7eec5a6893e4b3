"""A finished run, applied to other companies and to days that nobody knows yet."""

from pathlib import Path
from typing import Any

import numpy as np

from dl_shared.data.splits import Cuts
from dl_shared.errors import InputError
from dl_shared.files import atomic_path
from dl_shared.plots.forecasting import forecast_ahead
from dl_shared.progress import say
from dl_shared.runs import read_summary
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks import load_data
from dl_shared.tasks.stocks_config import LEVELS
from flax_projects.stocks.ensemble import load_ensemble
from flax_projects.stocks.train import MEDIAN


def evaluate(options: Any) -> dict[str, Any]:
    """Score a run on other data from the first day of its own test period on; kept under RUN/evaluations/."""
    run = Path(options.run)
    ensemble = load_ensemble(run)
    known = read_summary(run)["data"]
    cuts = Cuts(np.datetime64(known["validation_from"]), np.datetime64(known["test_from"]))
    data = load_data(ensemble.config, source=options.data, tickers=options.tickers, cuts=cuts, scaler=ensemble.scaler)
    quantiles = ensemble.forecast(data.test)
    return stocks.evaluate(run, data, quantiles[..., MEDIAN], quantiles=quantiles, levels=LEVELS)


def forecast(options: Any) -> list[dict[str, Any]]:
    """A row for each day ahead: date, price, 90 % interval; the picture goes to RUN/plots.

    Dates are Mondays to Fridays: which of them will be holidays is not known here.

    Raises:
        InputError: if the company is unknown or its history is shorter than a window.
    """
    run = Path(options.run)
    ensemble = load_ensemble(run)
    config = ensemble.config
    history = stocks.load_company(config, options.ticker, source=options.data, exogenous=options.exogenous)
    if history.features.shape[1] != len(ensemble.features):
        raise InputError(
            f"{run} was trained on {', '.join(ensemble.features)}; {options.ticker} comes with"
            f" {history.features.shape[1]} columns. Give the --exogenous file with the same series"
        )
    window = history.latest(config.lookback, ensemble.scaler)[0]
    returns = ensemble.forecast_rows(window, np.array([config.lookback - 1]))[0]
    last, close = history.dates[-1], float(history.close[-1])
    prices = close * np.exp(returns)
    dates = np.busday_offset(last, np.arange(1, config.horizon + 1), roll="backward")
    shown = slice(-options.shown_days, None)
    figure = forecast_ahead(
        history.dates[shown], history.close[shown], dates, prices, LEVELS, title=f"{options.ticker} after {last}"
    )
    picture = run / "plots" / f"forecast-{options.ticker.replace('/', '_')}-{last}.png"
    with atomic_path(picture) as temporary:
        figure.savefig(temporary, metadata={"Description": "The days after the last one known when it was made."})
    say(f"picture  {picture}")
    return [
        {
            "ticker": options.ticker,
            "known_until": str(last),
            "date": str(date),
            "days_ahead": ahead,
            "price": float(row[MEDIAN]),
            "lower": float(row[0]),
            "upper": float(row[-1]),
        }
        for ahead, (date, row) in enumerate(zip(dates, prices, strict=True), start=1)
    ]
