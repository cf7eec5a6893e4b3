"""What the errors of forecasts show, in sentences made from the numbers: by days ahead, by volatility, by month.

Each `describe_...` says where errors are large, and how large those of persistence are there, which tells the market's
doing from the forecast's. Whether there is a difference at all is decided by intervals.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from dl_shared.metrics.error_analysis import Group, compare_groups
from dl_shared.tasks.stocks_data import Data

REGIMES = ("calm", "middle", "wild")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
COVERED_WELL = 0.02  # how far coverage may be from what was promised
ALIKE = 0.05  # ratios this close to 1 are called the same
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Finding:
    """The groups of one way of grouping, and what they show."""

    label: str
    groups: tuple[Group, ...]
    sentence: str

    def as_json(self) -> dict[str, Any]:
        return {"sentence": self.sentence, "groups": [asdict(group) for group in self.groups]}


def analyse(
    data: Data,
    forecasts: Float[np.ndarray, "windows horizon"],
    quantiles: Float[np.ndarray, "windows horizon levels"] | None = None,
    levels: Sequence[float] = (),
) -> dict[str, Finding]:
    """Group the errors of the test part by `horizon`, `volatility` and `month`.

    Args:
        data: as loaded.
        forecasts: cumulative log returns for each test window.
        quantiles: of the same, ascending, where the model gives them; the first and the last span the interval.
        levels: of the quantiles.
    """
    test, shape = data.test, forecasts.shape
    actual = np.exp(test.targets)
    errors, reference = (100 * np.abs(np.exp(column) - actual) for column in (forecasts, np.zeros(shape)))
    inside = None
    if quantiles is not None:
        inside = (quantiles[..., 0] <= test.targets) & (test.targets <= quantiles[..., -1])
    nominal = levels[-1] - levels[0] if quantiles is not None else None

    def compare(group: np.ndarray, names: Sequence[str]) -> tuple[Group, ...]:
        spread = np.broadcast_to(group, shape)
        return compare_groups(errors, reference, spread, names, dates=test.dates, inside=inside)

    volatility = data.volatility()
    edges = np.quantile(volatility, [1 / 3, 2 / 3])
    month = test.dates.astype("datetime64[M]").astype(int) % 12
    by_horizon = compare(np.arange(shape[1]), [str(step + 1) for step in range(shape[1])])
    by_regime = compare(np.searchsorted(edges, volatility)[:, None], REGIMES)
    by_month = compare(month[:, None], MONTHS)
    worst = MONTHS.index(max(by_month, key=lambda group: group.error).name)
    years = _shares_by_year(errors[month == worst].sum(axis=1), test.dates[month == worst])
    return {
        "horizon": Finding("trading days ahead", by_horizon, describe_horizons(by_horizon, nominal)),
        "volatility": Finding(
            "volatility before the forecast", by_regime, describe_regimes(by_regime, tuple(100 * edges), nominal)
        ),
        "month": Finding("month of the forecast", by_month, describe_months(by_month, years)),
    }


def _shares_by_year(errors: Float[np.ndarray, " rows"], dates: np.ndarray) -> dict[int, float]:
    years, year = np.unique(dates.astype("datetime64[Y]").astype(int) + 1970, return_inverse=True)
    totals = np.bincount(year, errors)
    return dict(zip(years.tolist(), (totals / max(totals.sum(), 1e-12)).tolist(), strict=True))


def describe_overall(scores: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """Against persistence, and against the classical method with the lowest error.

    Args:
        scores: of the result: `mae`, `skill`, `skill_ci`.
        baselines: name -> `mae` and `diebold_mariano`, the test of the result against it.
    """
    p_value = baselines["persistence"]["diebold_mariano"]["p_value"]
    if "skill" not in scores:
        return "No price moved, so that there is nothing to compare."
    low, high = scores.get("skill_ci", (scores["skill"],) * 2)
    shown = "better than" if low > 0 else "worse than" if high < 0 else "not shown better or worse than"
    text = (
        f"With a skill of {scores['skill']:+.3f} ({low:+.3f} to {high:+.3f}) it is {shown} persistence"
        f" (Diebold-Mariano {_p(p_value)})."
    )
    others = {name: values for name, values in baselines.items() if name != "persistence"}
    if not others:
        return text
    name = min(others, key=lambda each: others[each]["mae"])
    change = 100 * (scores["mae"] / others[name]["mae"] - 1)
    p_value = others[name]["diebold_mariano"]["p_value"]
    judged = "significant" if p_value < SIGNIFICANT else "within chance"
    direction = "below" if change < 0 else "above"
    return (
        f"{text} Its error is {abs(change):.1f} % {direction} that of {name.replace('_', ' ')}, the best of the"
        f" classical methods, which is {judged} ({_p(p_value)})."
    )


def describe_horizons(groups: Sequence[Group], nominal: float | None = None) -> str:
    """How errors grow with the days ahead, beside the square root by which those of a random walk do."""
    first, last = groups[0], groups[-1]
    if len(groups) == 1:
        text = f"The mean error is {first.error:.2f} % of the price."
    else:
        factor, theirs = _ratio(last.error, first.error), _ratio(last.reference, first.reference)
        text = (
            f"The mean error goes from {first.error:.2f} % of the price at {_days(first.name)} ahead to"
            f" {last.error:.2f} % at {_days(last.name)}, {factor:.1f} times as much; persistence's grows"
            f" {theirs:.1f} times, and a random walk's would {(int(last.name) / int(first.name)) ** 0.5:.1f} times."
        )
    return " ".join([text, *_coverage(groups, nominal, "at {} days ahead"), _verdicts(groups, "at {} days ahead")])


def describe_regimes(groups: Sequence[Group], edges: tuple[float, ...], nominal: float | None = None) -> str:
    """How much larger errors are when prices are wild.

    Args:
        groups: of `REGIMES`, those that there are.
        edges: of the middle one, percent a day.
        nominal: coverage that the intervals promise.
    """
    first, last = groups[0], groups[-1]
    text = f"The mean error is {last.error:.2f} % of the price in {last.name} times"
    if len(groups) > 1:
        factor = _ratio(last.error, first.error)
        compared = "about that" if abs(factor - 1) <= ALIKE else f"{factor:.1f} times that"
        text += (
            f" (volatility above {edges[-1]:.1f} % a day), {compared} of {first.name} ones (below {edges[0]:.1f} %);"
            f" persistence's is {_ratio(last.reference, first.reference):.1f} times"
        )
    return " ".join([f"{text}.", *_coverage(groups, nominal, "in {} times"), _verdicts(groups, "in {} times")])


def describe_months(groups: Sequence[Group], years: Mapping[int, float]) -> str:
    """Which months are the hardest and the easiest, and how much of the hardest one is due to a single year.

    Args:
        groups: of `MONTHS`, those that there are.
        years: the share that each year has in the errors of the hardest month.
    """
    worst, best = (pick(groups, key=lambda group: group.error) for pick in (max, min))
    text = f"The mean error is largest in {worst.name}, {worst.error:.2f} % of the price"
    if len(groups) > 1:
        text += f", and smallest in {best.name}, {best.error:.2f} %"
    year, share = max(years.items(), key=lambda item: item[1])
    if len(years) == 1:
        origin = f"{worst.name} is seen in {year} only."
    elif share > 1.5 / len(years):
        origin = f"{year} alone makes {100 * share:.0f} % of {worst.name}'s, one of {len(years)} years."
    else:
        origin = f"No single one of the {len(years)} years makes more than {100 * share:.0f} % of it."
    return " ".join([f"{text}.", origin, _verdicts(groups, "in {}")])


def _verdicts(groups: Sequence[Group], where: str) -> str:
    """Which groups are shown better or worse than persistence."""
    better, worse, left = ([g for g in groups if g.verdict == verdict] for verdict in ("better", "worse", "open"))
    if not better and not worse:
        return "It is nowhere shown better or worse than persistence: no 95 % interval of the skill leaves out 0."
    for found, verdict in ((better, "better"), (worse, "worse")):
        if len(found) == len(groups):
            return f"It is {verdict} than persistence everywhere, with a skill of {_skills(found)}."
    parts = [
        f"{verdict} than persistence {where.format(listing(found))} (skill {_skills(found)})"
        for found, verdict in ((better, "better"), (worse, "worse"))
        if found
    ]
    return f"It is {' and '.join(parts)}" + ("; elsewhere neither is shown." if left else ".")


def _coverage(groups: Sequence[Group], nominal: float | None, where: str) -> list[str]:
    """Whether the intervals keep their promise in every group."""
    if nominal is None:
        return []
    by_group = {group.name: group.coverage for group in groups if group.coverage is not None}
    low, high = min(by_group.values()), max(by_group.values())
    span = f"{100 * low:.0f} %" if round(100 * low) == round(100 * high) else f"{100 * low:.0f} to {100 * high:.0f} %"
    text = f"The {100 * nominal:.0f} % intervals hold {span} of the prices that came"
    few = [group for group in groups if by_group[group.name] < nominal - COVERED_WELL]
    many = [group for group in groups if by_group[group.name] > nominal + COVERED_WELL]
    judged = [
        f"too {word} {where.format(listing(found))}" for word, found in (("few", few), ("many", many)) if found
    ] or ["everywhere within two points of it"]
    return [f"{text}, {' and '.join(judged)}."]


def listing(groups: Sequence[Group]) -> str:
    """Names as a person would list them; successive numbers as a range."""
    names = [group.name for group in groups]
    if all(name.isdigit() for name in names):
        runs = itertools.groupby(enumerate(map(int, names)), key=lambda pair: pair[1] - pair[0])
        ranges = [[number for _, number in run] for _, run in runs]
        names = [f"{run[0]} to {run[-1]}" if len(run) > 2 else " and ".join(map(str, run)) for run in ranges]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _skills(groups: Sequence[Group]) -> str:
    low, high = min(group.skill for group in groups), max(group.skill for group in groups)
    return f"{low:+.3f}" if len(groups) == 1 else f"{low:+.3f} to {high:+.3f}"


def _ratio(one: float, other: float) -> float:
    return one / max(other, 1e-12)


def _days(number: str) -> str:
    return f"{number} day{'s' * (number != '1')}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
