"""Rolling-origin evaluation: the same model, trained and tested over successive periods."""

import numpy as np
from jaxtyping import Shaped

from dl_shared.data.splits import Cuts
from dl_shared.errors import InputError


def rolling_origin(
    dates: Shaped[np.ndarray, " rows"],
    *,
    folds: int,
    horizon: int,
    test_days: int = 252,
    validation_days: int = 252,
    train_days: int | None = None,
    embargo: int | None = None,
) -> list[Cuts]:
    """Successive cuts whose test parts tile the end of the history (Tashman 2000, section 3).

    Args:
        dates: the trading days of all tickers; order and repeats do not matter.
        folds: how many periods are tested.
        horizon: days predicted; also the default embargo.
        test_days: trading days per tested period.
        validation_days: trading days before it, for choosing.
        train_days: trading days before those, a rolling window; None takes all the past, an expanding one.
        embargo: trading days left out before each boundary, so that features and targets on its two sides share none.

    Raises:
        InputError: if the history is too short for a year of training before the first fold.
    """
    days = np.unique(dates.astype("datetime64[D]"))
    needed = folds * test_days + validation_days + (train_days or test_days)
    if folds < 1 or len(days) < needed:
        raise InputError(
            f"{folds} folds of {test_days} days after {validation_days} of validation and {train_days or test_days}"
            f" of training need {needed} trading days, the history has {len(days)}"
        )
    cuts = []
    for fold in range(folds):
        test = len(days) - (folds - fold) * test_days
        validation, end = test - validation_days, test + test_days
        cuts.append(
            Cuts(
                validation_from=days[validation],
                test_from=days[test],
                train_from=days[validation - train_days] if train_days else None,
                test_until=days[end] if end < len(days) else None,
                embargo=horizon if embargo is None else embargo,
            )
        )
    return cuts
