"""Scores from sums and counts over all rows, with bootstrap intervals."""


def gap_closed(result: float, baseline: float, optimum: float) -> float:
    """The share of the way from the baseline to the best possible score that the result has gone.

    Works for scores that should rise and for errors that should fall; below 0 when worse than the baseline.

    Raises:
        ValueError: if baseline and optimum are equal, so that there is no way to go.
    """
    if optimum == baseline:
        raise ValueError(f"baseline and optimum are both {optimum}: there is no gap to close")
    return (result - baseline) / (optimum - baseline)
