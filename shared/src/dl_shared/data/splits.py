"""Chronological splits by date, over any number of tickers."""

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from dl_shared.errors import InputError


@dataclass(frozen=True)
class Cuts:
    """The dates that part training, validation and test; each part holds whole windows only.

    A window belongs to a part when all its days do, those it sees and those it predicts. So no training target lies
    in the validation part, and no test input in the validation part either.

    Attributes:
        validation_from: first day of the validation part; training comes before it.
        test_from: first day of the test part.
        train_from: first day of the training part; None for the start of the history.
        test_until: first day after the test part; None for the end of the history.
        embargo: trading days left out at the end of training and of validation.
    """

    validation_from: np.datetime64
    test_from: np.datetime64
    train_from: np.datetime64 | None = None
    test_until: np.datetime64 | None = None
    embargo: int = 0

    def __post_init__(self) -> None:
        edges = [edge for edge in (self.train_from, self.validation_from, self.test_from, self.test_until) if edge]
        if any(later <= earlier for earlier, later in itertools.pairwise(edges)):
            raise InputError(f"the split's dates must ascend, got {', '.join(map(str, edges))}")

    def rows(self, dates: Shaped[np.ndarray, " days"]) -> dict[str, slice]:
        """The rows of each part in one ticker's ascending dates."""
        start = 0 if self.train_from is None else int(np.searchsorted(dates, self.train_from))
        validation, test = (int(np.searchsorted(dates, edge)) for edge in (self.validation_from, self.test_from))
        end = len(dates) if self.test_until is None else int(np.searchsorted(dates, self.test_until))
        return {
            "train": slice(start, max(start, validation - self.embargo)),
            "validation": slice(validation, max(validation, test - self.embargo)),
            "test": slice(test, end),
        }


def chronological(dates: Shaped[np.ndarray, " rows"], *, validation: float = 0.15, test: float = 0.15) -> Cuts:
    """Cut so that the given shares of all rows, of whichever ticker, fall into validation and test.

    Args:
        dates: the date of every row of every ticker, in any order.
    """
    if not (validation > 0 and test > 0 and validation + test < 1):
        raise InputError(f"validation and test must be above 0 and sum below 1, got {validation} and {test}")
    ordered = np.sort(dates.astype("datetime64[D]"))
    first_validation, first_test = (int(len(ordered) * share) for share in (1 - validation - test, 1 - test))
    return Cuts(ordered[first_validation], ordered[first_test])


def window_ends(rows: slice, lookback: int, horizon: int) -> Int[np.ndarray, " windows"]:
    """The days t whose window lies within `rows`; none when it does not fit."""
    start = rows.start + lookback - 1
    return np.arange(start, max(start, rows.stop - horizon))
