"""Daily prices cut into windows for forecasting, with what it takes to judge the forecasts."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32

from dl_shared.baselines.forecasting import forecast_baselines
from dl_shared.data.exogenous import join_exogenous, read_exogenous, require_reach
from dl_shared.data.headlines import NEWS_COLUMNS, ScoredHeadlines
from dl_shared.data.indicators import DEFAULT_FEATURES, TRADING_DAYS, compute_features, recent_volatility
from dl_shared.data.prices import Prices, adjust, load_prices
from dl_shared.data.scalers import Scaler
from dl_shared.data.splits import Cuts, chronological, window_ends
from dl_shared.data.windows import Windows, cumulative_log_returns
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.metrics.forecasting import score_forecasts
from dl_shared.sample.prices import SIGNAL, Sample, make_prices

HUB_START = "2000-01-01"


@dataclass(frozen=True)
class History:
    """One ticker's days, where all its features are known.

    Attributes:
        frame: adjusted open, high, low, close and volume, indexed by date.
        features: not scaled, one row for each row of the frame.
    """

    frame: pd.DataFrame
    features: Float[np.ndarray, "days features"]

    @property
    def close(self) -> Float[np.ndarray, " days"]:
        return self.frame["close"].to_numpy()

    @property
    def dates(self) -> np.ndarray:
        return self.frame.index.to_numpy().astype("datetime64[D]")

    @cached_property
    def volatility(self) -> Float[np.ndarray, " days"]:
        """The deviation of one day's log return as known on each day, see `recent_volatility`."""
        return recent_volatility(self.frame["close"]).to_numpy()

    def latest(self, lookback: int, scaler: Scaler) -> Float32[np.ndarray, "1 lookback features"]:
        """The newest window, scaled: what a forecast of days that nobody knows yet starts from.

        Raises:
            InputError: if the history is shorter than a window.
        """
        if len(self.features) < lookback:
            raise InputError(
                f"the history has {len(self.features)} days after the features' first days, fewer than the {lookback}"
                " that a forecast needs"
            )
        return scaler.transform(self.features[-lookback:])[None].astype(np.float32)


@dataclass(frozen=True)
class Data:
    """Windows of the three parts, and all that is needed to judge forecasts of them.

    Attributes:
        train, validation, test: windows in order of ticker, then day.
        histories: the days they were cut from.
        features: names of the input columns.
        scaler: of the features, fitted on the training part (or given to `load`); keep it beside the weights.
        target_scale: root mean square of the training targets per day ahead: divide targets by it to train, multiply
            outputs by it to forecast. An output of 0 is persistence.
        cuts: the dates between the parts.
        source: for people.
        fingerprint: SHA-256 of the clean prices.
        notes: repairs and omissions, a line each.
        oracle: the best possible forecasts of `test`, where they are known (sample data).
    """

    train: Windows
    validation: Windows
    test: Windows
    histories: Mapping[str, History]
    features: tuple[str, ...]
    scaler: Scaler
    target_scale: Float[np.ndarray, " horizon"]
    cuts: Cuts
    source: str
    fingerprint: str
    notes: tuple[str, ...]
    oracle: Float[np.ndarray, "windows horizon"] | None = None

    @property
    def horizon(self) -> int:
        return self.test.horizon

    @property
    def rows(self) -> dict[str, int]:
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    def score(
        self, forecasts: Float[np.ndarray, "windows horizon"], *, part: str = "test", replicates: int = 1000
    ) -> dict[str, Any]:
        """The scores of cumulative log returns forecast for the windows of a part, see `score_forecasts`."""
        windows: Windows = getattr(self, part)
        return score_forecasts(
            forecasts,
            windows.targets,
            windows.base_prices,
            scales=windows.scales,
            dates=windows.dates,
            replicates=replicates,
        )

    def volatility(self, part: str = "test") -> Float[np.ndarray, " windows"]:
        """The deviation of one day's log return as known on the last day of each window of a part."""
        windows: Windows = getattr(self, part)
        found = np.empty(len(windows))
        for number, ticker in enumerate(windows.tickers):
            rows, history = windows.ticker_ids == number, self.histories[ticker]
            found[rows] = history.volatility[np.searchsorted(history.dates, windows.dates[rows])]
        return found

    @cached_property
    def optimum(self) -> dict[str, Any] | None:
        """The oracle's scores on the test part."""
        return None if self.oracle is None else self.score(self.oracle)

    @cached_property
    def baselines(self) -> dict[str, Float[np.ndarray, "windows horizon"]]:
        """Forecasts of `test` by the classical methods; computed once, then read from disk."""
        histories: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for number, ticker in enumerate(self.test.tickers):
            dates = self.test.dates[self.test.ticker_ids == number]
            history = self.histories[ticker]
            histories[ticker] = history.close, np.searchsorted(history.dates, dates)
        return forecast_baselines(histories, self.horizon)


def load(
    source: str,
    *,
    seed: int,
    lookback: int = 60,
    horizon: int = 5,
    tickers: Collection[str] = (),
    features: Sequence[str] = DEFAULT_FEATURES,
    exogenous: Path | str | None = None,
    exogenous_lag_days: int = 1,
    test_tickers: Collection[str] = (),
    cuts: Cuts | None = None,
    validation: float = 0.15,
    test: float = 0.15,
    start: str | None = None,
    end: str | None = None,
    scaler: Scaler | None = None,
    sample_signal: float = SIGNAL,
    sample_news: float = 0.0,
    news: ScoredHeadlines | None = None,
) -> Data:
    """Read prices, make features and cut windows.

    Args:
        source: `sample`, `hub` (Yahoo Finance) or a path to a CSV or a folder of them.
        seed: of the sample data.
        lookback: days a model sees, day t included.
        horizon: days it predicts, from t + 1.
        tickers: which to use; all that there are when empty (for `hub`: `DEFAULT_TICKERS`).
        features: names in `indicators.FEATURES`.
        exogenous: a CSV of dated series, joined as further features by what was known each day.
        exogenous_lag_days: calendar days until a value of that CSV is known.
        test_tickers: tickers tested and never trained on; when empty, every ticker is tested in the test period.
        cuts: the dates between the parts, from a backtest; otherwise the last `validation` + `test` of all rows.
        start, end: dates of the first day and the first one too late; `hub` starts in 2000 where nothing is said.
        scaler: one kept by a finished run, to prepare other data in the same way.
        sample_signal: strength of what is planted in sample data; 0 for a pure random walk.
        sample_news: what headlines do to sample prices, see `dl_shared.sample.headlines`; 0 for nothing.
        news: scored headlines, as further features.

    Raises:
        InputError: if the source cannot be used, or a part would hold no window.
    """
    if lookback < 1 or horizon < 1:
        raise InputError(f"lookback and horizon must be at least 1, got {lookback} and {horizon}")
    prices, sample = _read(source, seed, tickers, start, end, sample_signal, sample_news)
    _check_test_tickers(test_tickers, prices)
    outside = _read_outside(exogenous, prices)
    outer = (outside.columns if outside is not None else ()), (NEWS_COLUMNS if news is not None else ())
    names = (*features, *(name for columns in outer for name in columns))
    histories, notes = {}, [*prices.repairs, *(news.notes(prices.frames) if news is not None else ())]
    for ticker, frame in prices.frames.items():
        history = _make_history(ticker, frame, features, outside, exogenous_lag_days, news)
        if len(history.close) < lookback + horizon:
            notes.append(f"{ticker}: left out, {len(frame)} days are fewer than a window after the features' warm-up")
            continue
        histories[ticker] = history
    if not histories:
        raise InputError(
            f"{prices.source}: no ticker has the {lookback} + {horizon} days of one window after the features' first"
            " days; give a longer history, or a smaller lookback or horizon"
        )
    if cuts is None:
        cuts = chronological(np.concatenate([h.dates for h in histories.values()]), validation=validation, test=test)
    if scaler is None:
        scaler = _fit_scaler(histories, cuts, test_tickers)
    elif len(scaler.mean) != len(names):
        raise InputError(f"the scaler given is for {len(scaler.mean)} features, these data have {len(names)}")
    data = _assemble(histories, prices, sample, names, scaler, cuts, test_tickers, lookback, horizon, notes)
    return data if news is None else replace(data, fingerprint=fingerprint([data.fingerprint, news.fingerprint]))


def load_history(
    source: str,
    ticker: str,
    *,
    seed: int,
    features: Sequence[str] = DEFAULT_FEATURES,
    exogenous: Path | str | None = None,
    exogenous_lag_days: int = 1,
    start: str | None = None,
    end: str | None = None,
    sample_signal: float = SIGNAL,
    sample_news: float = 0.0,
    news: ScoredHeadlines | None = None,
) -> History:
    """One company's days, however few: for a forecast by a finished run. Options as for `load`.

    Raises:
        InputError: if the source cannot be used, or has no prices of that company.
    """
    prices, _ = _read(source, seed, [ticker], start, end, sample_signal, sample_news)
    outside = _read_outside(exogenous, prices)
    return _make_history(ticker, prices.frames[ticker], features, outside, exogenous_lag_days, news)


def _read_outside(path: Path | str | None, prices: Prices) -> pd.DataFrame | None:
    if path is None:
        return None
    outside = read_exogenous(path)
    require_reach(outside, max(frame.index[-1] for frame in prices.frames.values()), where=str(path))
    return outside


def _read(
    source: str,
    seed: int,
    tickers: Collection[str],
    start: str | None,
    end: str | None,
    signal: float,
    news_effect: float,
) -> tuple[Prices, Sample | None]:
    if source == "sample":
        sample = make_prices(seed=seed, signal=signal, news=news_effect)
        unknown = sorted(set(tickers) - set(sample.prices.tickers))
        if unknown:
            raise InputError(f"the sample has no {', '.join(unknown)}; it has {', '.join(sample.prices.tickers)}")
        frames = {ticker: frame for ticker, frame in sample.prices.frames.items() if not tickers or ticker in tickers}
        return Prices(frames, sample.prices.source).between(start, end), sample
    if source == "hub":
        from dl_shared.data.yahoo import DEFAULT_TICKERS, fetch_prices

        return fetch_prices(tickers or DEFAULT_TICKERS, start=start or HUB_START, end=end), None
    return load_prices(source, tickers=tickers).between(start, end), None


def _check_test_tickers(test_tickers: Collection[str], prices: Prices) -> None:
    unknown = sorted(set(test_tickers) - set(prices.tickers))
    if unknown:
        raise InputError(f"no prices for the test tickers {', '.join(unknown)}; there are {', '.join(prices.tickers)}")
    if set(test_tickers) == set(prices.tickers):
        raise InputError("all tickers are test tickers, so none is left to train on; name fewer")


def _make_history(
    ticker: str,
    frame: pd.DataFrame,
    features: Sequence[str],
    outside: pd.DataFrame | None,
    lag_days: int,
    news: ScoredHeadlines | None,
) -> History:
    adjusted = adjust(frame)
    table = compute_features(adjusted, features)
    if outside is not None:
        table = table.join(join_exogenous(pd.DatetimeIndex(adjusted.index), outside, lag_days=lag_days), rsuffix="_csv")
    if news is not None:
        table = table.join(news.features(ticker, pd.DatetimeIndex(adjusted.index)))
    known = table.notna().all(axis=1)
    return History(adjusted[known], table[known].to_numpy(np.float64))


def _fit_scaler(histories: Mapping[str, History], cuts: Cuts, test_tickers: Collection[str]) -> Scaler:
    rows = [h.features[cuts.rows(h.dates)["train"]] for ticker, h in histories.items() if ticker not in test_tickers]
    training = np.concatenate(rows) if rows else np.empty((0, 1))
    if not len(training):
        raise InputError(f"no day before {cuts.validation_from} is left to train on; give a longer history")
    return Scaler.fit(training)


def _assemble(
    histories: Mapping[str, History],
    prices: Prices,
    sample: Sample | None,
    names: tuple[str, ...],
    scaler: Scaler,
    cuts: Cuts,
    test_tickers: Collection[str],
    lookback: int,
    horizon: int,
    notes: list[str],
) -> Data:
    series = scaler.transform(np.concatenate([h.features for h in histories.values()])).astype(np.float32)
    seen = [ticker for ticker in histories if ticker not in test_tickers]
    parts = {
        part: _cut_part(part, histories, series, cuts, chosen, lookback, horizon)
        for part, chosen in (("train", seen), ("validation", seen), ("test", list(test_tickers) or list(histories)))
    }
    for part, windows in parts.items():
        if not len(windows):
            raise InputError(
                f"{prices.source}: the {part} part holds no window of {lookback} + {horizon} days;"
                " give a longer history, or a smaller lookback or horizon"
            )
    oracle = None
    if sample is not None:
        test = parts["test"]
        oracle = np.empty(test.targets.shape)
        for number, ticker in enumerate(test.tickers):
            rows = test.ticker_ids == number
            days = sample.prices.frames[ticker].index.get_indexer(test.dates[rows].astype("datetime64[s]"))
            oracle[rows] = sample.oracle(ticker, horizon)[days]
    return Data(
        **parts,
        histories=histories,
        features=names,
        scaler=scaler,
        target_scale=np.maximum(np.sqrt((parts["train"].targets ** 2).mean(axis=0)), 1e-8),  # 0 if no price moved
        cuts=cuts,
        source=prices.source,
        fingerprint=prices.fingerprint,
        notes=tuple(notes),
        oracle=oracle,
    )


def _cut_part(
    part: str,
    histories: Mapping[str, History],
    series: Float32[np.ndarray, "rows features"],
    cuts: Cuts,
    chosen: Sequence[str],
    lookback: int,
    horizon: int,
) -> Windows:
    """The windows of one part, over the chosen tickers; `series` holds the rows of all."""
    ends, targets, bases, scales, dates, target_dates = ([] for _ in range(6))
    ids: list[np.ndarray] = []
    offset = 0
    for ticker, history in histories.items():
        if ticker in chosen:
            days = window_ends(cuts.rows(history.dates)[part], lookback, horizon)
            ends.append(days + offset)
            targets.append(cumulative_log_returns(history.close, days, horizon))
            bases.append(history.close[days])
            scales.append(naive_errors(history.close)[days])
            dates.append(history.dates[days])
            target_dates.append(history.dates[days[:, None] + np.arange(1, horizon + 1)])
            ids.append(np.full(len(days), len(ids)))
        offset += len(history.close)
    return Windows(
        series=series,
        ends=np.concatenate(ends),
        lookback=lookback,
        targets=np.concatenate(targets),
        base_prices=np.concatenate(bases),
        scales=np.concatenate(scales),
        dates=np.concatenate(dates),
        target_dates=np.concatenate(target_dates),
        ticker_ids=np.concatenate(ids),
        tickers=tuple(ticker for ticker in histories if ticker in chosen),
    )


def naive_errors(close: Float[np.ndarray, " days"]) -> Float[np.ndarray, " days"]:
    """Mean absolute one-day change over the year up to each day, dollars: what MASE divides by.

    A year without any change gets a millionth of the price, so that the division is defined.
    """
    change = pd.Series(np.abs(np.diff(close, prepend=close[:1])))
    return np.maximum(change.rolling(TRADING_DAYS, min_periods=1).mean().to_numpy(), 1e-6 * close)
