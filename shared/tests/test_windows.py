"""Windows, splits, scalers and folds, against numbers worked by hand."""

import numpy as np
import pytest

from dl_shared.data.backtest import rolling_origin
from dl_shared.data.scalers import Scaler
from dl_shared.data.splits import Cuts, chronological, window_ends
from dl_shared.data.windows import Windows, cumulative_log_returns
from dl_shared.errors import InputError

DAYS = np.arange(np.datetime64("2020-01-01"), np.datetime64("2020-04-10"))  # 100 days


def windows_of(close, lookback, horizon):
    """All windows of one ticker, its close and the number of the day as features."""
    ends = window_ends(slice(0, len(close)), lookback, horizon)
    targets = cumulative_log_returns(close, ends, horizon)
    days = np.datetime64("2020-01-01") + np.arange(len(close))
    return Windows(
        series=np.column_stack([close, np.arange(len(close))]).astype(np.float32),
        ends=ends,
        lookback=lookback,
        targets=targets,
        base_prices=close[ends],
        scales=np.ones(len(ends)),
        dates=days[ends],
        target_dates=days[ends[:, None] + np.arange(1, horizon + 1)],
        ticker_ids=np.zeros(len(ends), np.int64),
        tickers=("A",),
    )


def test_windows_of_a_short_history():
    windows = windows_of(np.exp(np.arange(6.0)), lookback=3, horizon=2)
    assert len(windows) == 2
    assert windows.horizon == 2
    np.testing.assert_array_equal(windows.inputs[:, :, 1], [[0, 1, 2], [1, 2, 3]])
    np.testing.assert_allclose(windows.targets, [[1, 2], [1, 2]])  # one log dollar a day since day t
    np.testing.assert_allclose(windows.target_prices, np.exp([[3.0, 4], [4, 5]]))


def test_a_seasonal_naive_forecast_is_exact_on_a_seasonal_series():
    windows = windows_of(np.exp(np.tile([0.0, 0.3, -0.1], 10)), lookback=3, horizon=3)
    week_ago = np.log(windows.inputs[:, :, 0]) - np.log(windows.inputs[:, -1:, 0])
    np.testing.assert_allclose(week_ago, windows.targets, atol=1e-6)


def test_one_window_is_the_least():
    assert windows_of(np.ones(5), 3, 2).inputs.shape == (1, 3, 2)
    assert len(windows_of(np.ones(4), 3, 2)) == 0


def test_parts_hold_whole_windows_and_ascend():
    cuts = chronological(np.concatenate([DAYS, DAYS]), validation=0.2, test=0.2)
    assert (cuts.validation_from, cuts.test_from) == (DAYS[60], DAYS[80])
    rows = cuts.rows(DAYS)
    assert rows == {"train": slice(0, 60), "validation": slice(60, 80), "test": slice(80, 100)}
    train = window_ends(rows["train"], lookback=5, horizon=3)
    assert (train[0], train[-1]) == (4, 56)  # sees rows 0-4; predicts up to row 59
    validation = window_ends(rows["validation"], lookback=5, horizon=3)
    assert (validation[0], validation[-1]) == (64, 76)
    assert len(window_ends(slice(0, 7), 5, 3)) == 0


def test_a_ticker_that_starts_late_or_ends_early_has_empty_parts():
    cuts = Cuts(DAYS[60], DAYS[80])
    late, early = DAYS[70:], DAYS[:50]
    assert [len(late[part]) for part in cuts.rows(late).values()] == [0, 10, 20]
    assert [len(early[part]) for part in cuts.rows(early).values()] == [50, 0, 0]


def test_dates_that_do_not_ascend_are_refused():
    with pytest.raises(InputError, match="must ascend"):
        Cuts(DAYS[5], DAYS[5])
    with pytest.raises(InputError, match="sum below 1"):
        chronological(DAYS, validation=0.5, test=0.5)


def test_folds_tile_the_end_and_keep_their_embargo():
    folds = rolling_origin(DAYS, folds=3, horizon=4, test_days=10, validation_days=5, train_days=20)
    rows = [fold.rows(DAYS) for fold in folds]
    assert [part["test"] for part in rows] == [slice(70, 80), slice(80, 90), slice(90, 100)]
    assert [part["validation"] for part in rows] == [slice(65, 66), slice(75, 76), slice(85, 86)]
    assert [part["train"] for part in rows] == [slice(45, 61), slice(55, 71), slice(65, 81)]
    expanding = rolling_origin(DAYS, folds=2, horizon=1, test_days=10, validation_days=5)
    assert [fold.rows(DAYS)["train"].start for fold in expanding] == [0, 0]
    with pytest.raises(InputError, match="need 125 trading days, the history has 100"):
        rolling_origin(DAYS, folds=11, horizon=1, test_days=10, validation_days=5)


def test_the_scaler_standardises_clips_and_travels_as_json():
    rows = np.array([[0.0, 7.0], [2.0, 7.0]])
    scaler = Scaler.fit(rows, limit=3.0)
    np.testing.assert_allclose(scaler.transform(rows), [[-1, 0], [1, 0]])
    np.testing.assert_allclose(scaler.transform(np.array([[100.0, 7.0]])), [[3, 0]])
    np.testing.assert_allclose(scaler.inverse(scaler.transform(rows)), rows)
    again = Scaler.from_json(scaler.to_json())
    np.testing.assert_array_equal(again.transform(rows), scaler.transform(rows))
