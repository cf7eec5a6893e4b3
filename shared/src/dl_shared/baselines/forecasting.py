"""Classical forecasts of daily prices: what a network must beat.

Each maps a history of closes and the days t to forecast from ("origins") to cumulative log returns since t. A forecast
at t uses closes up to t alone. Methods with parameters estimate them once, on the days up to the first origin, and
then only update their state day by day, so that thousands of origins cost little more than one.
"""

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from jaxtyping import Float, Int

from dl_shared.baselines.cache import cached
from dl_shared.files import fingerprint

Forecaster = Callable[
    [Float[np.ndarray, " time"], Int[np.ndarray, " origins"], int], Float[np.ndarray, "origins horizon"]
]

FIT_DAYS = 1000  # parameters come from the last four years before the first origin
WEEK = 5  # trading days
ARMA_ORDERS = ((1, 0), (0, 1), (1, 1), (2, 1))
PROPHET_REFIT_DAYS = 63  # a quarter


def persistence(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """Tomorrow is like today: returns of 0. The best forecast of a random walk."""
    return np.zeros((len(origins), horizon))


def drift(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """The mean daily log return of all days up to t, h times over."""
    log_price = np.log(close)
    mean = (log_price[origins] - log_price[0]) / np.maximum(origins, 1)
    return mean[:, None] * np.arange(1, horizon + 1)


def seasonal_naive(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """The price of the same day of the trading week, in the last week known.

    Before a week is known, the first close stands in.
    """
    ahead = np.arange(1, horizon + 1)
    weeks = -(-ahead // WEEK)
    source = np.maximum(origins[:, None] + ahead - WEEK * weeks, 0)
    return np.log(close[source] / close[origins, None])


def exponential_smoothing(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """Holt's method with a damped trend, on log prices (Hyndman and Athanasopoulos 2021, section 8.2).

        level[t] = a * y[t] + (1 - a) * (level[t-1] + phi * trend[t-1])
        trend[t] = b * (level[t] - level[t-1]) + (1 - b) * phi * trend[t-1]
        y[t+h | t] = level[t] + (phi + ... + phi^h) * trend[t]

    statsmodels estimates a, b and phi.
    """
    log_price = np.log(close)
    start, (alpha, beta, phi, level, trend) = _fit_holt(log_price[: origins[0] + 1])
    levels, trends = np.empty(len(close)), np.empty(len(close))
    for day in range(start, origins[-1] + 1):
        before, damped = level, phi * trend
        level = alpha * log_price[day] + (1 - alpha) * (before + damped)
        trend = beta * (level - before) + (1 - beta) * damped
        levels[day], trends[day] = level, trend
    damping = np.cumsum(phi ** np.arange(1, horizon + 1))
    return levels[origins, None] + trends[origins, None] * damping - log_price[origins, None]


def _fit_holt(log_price: Float[np.ndarray, " time"]) -> tuple[int, tuple[float, float, float, float, float]]:
    """The first day of the fit; level weight, trend weight, damping, and level and trend before that day."""
    from statsmodels.tsa.holtwinters import Holt

    start = max(0, len(log_price) - FIT_DAYS)
    recent = log_price[start:]
    if len(recent) < 20:  # too few to estimate anything: persistence
        return start, (1.0, 0.0, 0.8, float(recent[0]), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the optimiser stopping at a bound is a fit like any other
        fit = Holt(recent, damped_trend=True, initialization_method="estimated").fit(use_brute=False).params
    names = ("smoothing_level", "smoothing_trend", "damping_trend", "initial_level", "initial_trend")
    alpha, beta, phi, level, trend = (float(fit[name]) for name in names)
    return start, (alpha, beta, phi, level, trend)


def arima(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """ARIMA(p, 1, q) with drift on log prices, that is ARMA on demeaned log returns; (p, q) of the lowest AIC.

    With coefficients fixed, the Kalman filter gives the state at every origin in one pass, and powers of the
    transition matrix the expected returns from there.
    """
    from statsmodels.tsa.arima.model import ARIMA

    returns = np.diff(np.log(close[: origins[-1] + 1]))  # returns[i] is that of day i + 1
    known = returns[: origins[0]][-FIT_DAYS:]
    ahead = np.arange(1, horizon + 1)
    if len(known) < 50:  # too few for a fit worth its name
        return drift(close, origins, horizon)
    mean = known.mean()
    scale = known.std() or 1.0  # unit variance, where the optimiser's tolerances make sense
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a start far from stationary, or slow convergence; AIC judges the outcome
        fits = [
            ARIMA((known - mean) / scale, order=(p, 0, q), trend="n").fit(method="innovations_mle")
            for p, q in ARMA_ORDERS
        ]
        white_noise_aic = len(known) * (np.log(2 * np.pi) + 1) + 2
        best = min(fits, key=lambda fit: fit.aic)
        if white_noise_aic <= best.aic:
            return np.broadcast_to(mean * ahead, (len(origins), horizon)).copy()
        filtered = best.apply((returns - mean) / scale)
    system = filtered.model.ssm
    transition, design = system["transition"], system["design"]
    # predicted_state[:, i] is the state of returns[i] given those before it; day t's last known return is t - 1
    state = filtered.filter_results.predicted_state[:, origins]
    expected = np.empty((len(origins), horizon))
    for step in range(horizon):
        expected[:, step] = (design @ state)[0]
        state = transition @ state
    return mean * ahead + scale * expected.cumsum(axis=1)


def prophet(
    close: Float[np.ndarray, " time"], origins: Int[np.ndarray, " origins"], horizon: int
) -> Float[np.ndarray, "origins horizon"]:
    """Prophet (Taylor and Letham 2018) on log prices, fitted anew each quarter; needs the package `prophet`.

    The change it expects from day t on is added to the actual price of t, which favours it. Trading days are numbered
    without gaps, so that it sees the trend but no calendar.
    """
    import pandas as pd
    from prophet import Prophet

    log_price = np.log(close)
    calendar = pd.date_range("2000-01-01", periods=len(close) + horizon, freq="D")
    result = np.empty((len(origins), horizon))
    for begin in range(0, len(origins), PROPHET_REFIT_DAYS):
        part = origins[begin : begin + PROPHET_REFIT_DAYS]
        past = slice(max(0, part[0] + 1 - FIT_DAYS), part[0] + 1)
        model = Prophet(daily_seasonality=False, weekly_seasonality=False, yearly_seasonality=False)
        model.fit(pd.DataFrame({"ds": calendar[past], "y": log_price[past]}))
        ahead = model.predict(pd.DataFrame({"ds": calendar[: part[-1] + horizon + 1]}))["yhat"].to_numpy()
        result[begin : begin + len(part)] = ahead[part[:, None] + np.arange(1, horizon + 1)] - ahead[part, None]
    return result


BASELINES: dict[str, Forecaster] = {
    "persistence": persistence,
    "drift": drift,
    "seasonal_naive": seasonal_naive,
    "exponential_smoothing": exponential_smoothing,
    "arima": arima,
}


def available() -> dict[str, Forecaster]:
    """All baselines that can run here: Prophet where it is installed."""
    return BASELINES | ({"prophet": prophet} if importlib.util.find_spec("prophet") else {})


def forecast_baselines(
    histories: Mapping[str, tuple[Float[np.ndarray, " time"], Int[np.ndarray, " origins"]]], horizon: int
) -> dict[str, Float[np.ndarray, "all_origins horizon"]]:
    """Every baseline at every origin of every ticker, kept on disk by the fingerprint of what it depends on.

    Args:
        histories: for each ticker its closes, dollars, and the ascending days to forecast from.
        horizon: days ahead.

    Returns:
        for each baseline the cumulative log returns, the tickers' origins one after another in the order given.
    """
    parts = [part for history in histories.values() for part in history]
    key = fingerprint(list(histories), *parts, np.array([horizon, FIT_DAYS, *np.ravel(ARMA_ORDERS)]))

    def compute(method: Forecaster) -> dict[str, np.ndarray]:
        found = [method(close, origins, horizon) for close, origins in histories.values() if len(origins)]
        return {"forecasts": np.concatenate(found)}

    return {
        name: cached(f"forecast-{name}", key, partial(compute, method))["forecasts"]
        for name, method in available().items()
    }
