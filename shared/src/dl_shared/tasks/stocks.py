"""Forecasting daily prices: load -> baselines -> score -> pictures, the same for every framework.

A project fits a model on `data.train`, chooses by `data.validation`, forecasts `data.test` once, and hands the
cumulative log returns to `report`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dl_shared.data.indicators import DEFAULT_FEATURES
from dl_shared.data.scalers import Scaler
from dl_shared.data.splits import Cuts
from dl_shared.data.windows import Windows
from dl_shared.metrics.forecasting import diebold_mariano, score_intervals, to_prices
from dl_shared.report import write_page
from dl_shared.runs import Run
from dl_shared.tasks.evaluation import save_evaluation, side_by_side
from dl_shared.tasks.stocks_config import StocksConfig
from dl_shared.tasks.stocks_data import Data, History, load, load_history
from dl_shared.tasks.stocks_discussion import Finding, analyse
from dl_shared.tasks.stocks_pictures import save_pictures

__all__ = [
    *("Data", "History", "evaluate", "load", "load_company", "load_data", "load_history", "record_data", "report"),
]


def load_data(
    config: StocksConfig,
    *,
    source: str | None = None,
    tickers: tuple[str, ...] = (),
    cuts: Cuts | None = None,
    scaler: Scaler | None = None,
    **more: Any,
) -> Data:
    """The data of a run, or others prepared in the same way, see `load`.

    Args:
        config: what to load and how.
        source: other data than the config's, with no companies kept apart.
        tickers: of that source; all when empty.
        cuts: the dates between the parts, of a finished run or from a backtest.
        scaler: of a finished run.
        more: arguments of `load` that not every project has options for.
    """
    own = source is None
    return load(
        source or config.data,
        lookback=config.lookback,
        horizon=config.horizon,
        tickers=config.tickers if own else tickers,
        test_tickers=config.test_tickers if own else (),
        cuts=cuts,
        scaler=scaler,
        exogenous=config.exogenous,
        **_prepared(config),
        **more,
    )


def load_company(
    config: StocksConfig, ticker: str, *, source: str | None = None, exogenous: str | None = None, **more: Any
) -> History:
    """One company's days, prepared as those of a run, see `load_history`.

    Args:
        config: of the run.
        ticker: of the company.
        source: other data than the config's.
        exogenous: another CSV than the config's.
        more: arguments of `load_history` that not every project has options for.
    """
    exogenous = exogenous or config.exogenous
    return load_history(source or config.data, ticker, exogenous=exogenous, **_prepared(config), **more)


def _prepared(config: StocksConfig) -> dict[str, Any]:
    return {
        "seed": config.seed,
        "features": config.columns or DEFAULT_FEATURES,
        "exogenous_lag_days": config.exogenous_lag_days,
        "sample_signal": config.sample_signal,
    }


def record_data(run: Run, data: Data) -> None:
    """Write down what a run learns from; call it before training, so that unfinished runs have it too."""
    run.record_data(
        source=data.source,
        fingerprint=data.fingerprint,
        rows=data.rows,
        tickers={"train": list(data.train.tickers), "test": list(data.test.tickers)},
        validation_from=str(data.cuts.validation_from),
        test_from=str(data.cuts.test_from),
        horizon=data.horizon,
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
        method, with the p-value of the Diebold-Mariano test against it), `optimum`, `gap_closed` (of the MAE),
        `analysis` (by horizon, volatility and month: a sentence and the groups).

    Raises:
        ValueError: if rows are missing or not finite, or quantiles descend.
    """
    metrics, findings = _metrics(data, forecasts, quantiles, levels)
    if validation_forecasts is not None:
        _check(validation_forecasts, data.validation)
        metrics["validation"] = data.score(validation_forecasts, part="validation")
    run.update("metrics", **metrics)
    run.save_predictions(_predictions(data.test, forecasts, quantiles))
    save_pictures(run, data, forecasts, quantiles, levels, metrics, findings)
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
    metrics, _ = _metrics(data, forecasts, quantiles, levels)
    return save_evaluation(run_path, metrics, source=data.source, fingerprint=data.fingerprint, rows=len(data.test))


def _metrics(
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    quantiles: Float[np.ndarray, "windows horizon levels"] | None,
    levels: Sequence[float],
) -> tuple[dict[str, Any], dict[str, Finding]]:
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
    persistence = {"name": "persistence: tomorrow's price is today's", **baselines["persistence"]}
    findings = analyse(data, forecasts, quantiles, levels)
    metrics = side_by_side("mae", test=scores, baseline=persistence, optimum=data.optimum)
    metrics |= {"baselines": baselines, "analysis": {name: finding.as_json() for name, finding in findings.items()}}
    return metrics, findings


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
