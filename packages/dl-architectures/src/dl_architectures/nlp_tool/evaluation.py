"""How good the tool is, from the frame of `Feedback.answers`: satisfaction, latency, failures. Figures only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from scipy.stats import binomtest

Period = Literal["day", "week", "month"]

_PERIODS: dict[Period, str] = {"day": "D", "week": "W-SUN", "month": "M"}  # weeks begin on Monday


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The tool in four figures; a figure of nothing is None.

    Attributes:
        answers: how many were asked for.
        rated: how many of them somebody rated.
        satisfied: share of thumbs up among the rated.
        interval: of that share, Wilson's at 95 %.
        median_seconds: of the finished answers.
        failed: share of the answers that ended in an error.
    """

    answers: int
    rated: int
    satisfied: float | None
    interval: tuple[float, float] | None
    median_seconds: float | None
    failed: float | None


def overview(answers: pd.DataFrame) -> Overview:
    """The whole frame in a few figures."""
    rated, finished = answers["rating"].dropna(), answers.loc[answers["outcome"] == "finished", "seconds"]
    ups = int((rated == "up").sum())
    return Overview(
        answers=len(answers),
        rated=len(rated),
        satisfied=ups / len(rated) if len(rated) else None,
        interval=wilson(ups, len(rated)) if len(rated) else None,
        median_seconds=float(finished.median()) if len(finished) else None,
        failed=float((answers["outcome"] == "failed").mean()) if len(answers) else None,
    )


def satisfaction(answers: pd.DataFrame, by: Sequence[str] = ("task", "model")) -> pd.DataFrame:
    """Share of thumbs up among the rated answers of each group.

    Args:
        answers: of `Feedback.answers`.
        by: columns that make the groups.

    Returns:
        The columns `by`, then `ratings`, `up`, `share`, and `low` and `high`, Wilson's 95 % interval of the share: with
        few ratings it is wide, and never leaves [0, 1]. Groups without a rating are left out.
    """
    rated = answers.dropna(subset="rating")
    counts = (
        rated.assign(up=rated["rating"] == "up")
        .groupby(list(by), observed=True)["up"]
        .agg(ratings="size", up="sum")
        .reset_index()
    )
    intervals = [wilson(int(up), int(n)) for up, n in zip(counts["up"], counts["ratings"], strict=True)]
    return counts.assign(
        share=counts["up"] / counts["ratings"],
        low=[low for low, _ in intervals],
        high=[high for _, high in intervals],
    )


def satisfaction_over_time(
    answers: pd.DataFrame, period: Period = "week", by: Sequence[str] = ("task",)
) -> pd.DataFrame:
    """Satisfaction of each group in each day, week or month, by when the answer was given (UTC).

    Returns:
        As `satisfaction`, with `start`, the first day of the period, as first column.
    """
    naive = answers["created_at"].dt.tz_convert(None)
    return satisfaction(answers.assign(start=naive.dt.to_period(_PERIODS[period]).dt.start_time), ("start", *by))


def latency(answers: pd.DataFrame, by: Sequence[str] = ("task", "model")) -> pd.DataFrame:
    """How long the finished answers of each group took, in seconds.

    Returns:
        The columns `by`, then `answers`, `median`, `p95` (95 of 100 took no longer), `first` (median time to the first
        piece) and `failed` (share of all answers of the group that ended in an error).
    """
    timed = answers.assign(
        finished=answers["seconds"].where(answers["outcome"] == "finished"),
        first=answers["first_seconds"].where(answers["outcome"] == "finished"),
        failed=answers["outcome"] == "failed",
    ).groupby(list(by), observed=True)
    return pd.DataFrame(
        {
            "answers": timed.size(),
            "median": timed["finished"].median(),
            "p95": timed["finished"].quantile(0.95),
            "first": timed["first"].median(),
            "failed": timed["failed"].mean(),
        }
    ).reset_index()


def wilson(ups: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, "Probable inference, the law of succession")."""
    interval = binomtest(ups, n).proportion_ci(0.95, "wilson")
    return float(interval.low), float(interval.high)
