"""The page of a search: what was tried, what the winner is worth after that, and its test."""

from pathlib import Path
from typing import Any

from dl_shared.metrics.selection import Deflated
from dl_shared.plots.tuning import selection
from dl_shared.report.gallery import Section, write_gallery
from dl_shared.report.render import Table, embed, plain
from dl_shared.tuning import Tuning

SIGNIFICANT = 0.05


def describe(deflated: Deflated, trials: int) -> str:
    """What a search has found, in a sentence or two made from its numbers."""
    low, high = deflated.deflated_ci
    unlikely, above = deflated.p_value < SIGNIFICANT, low > 0
    if unlikely and above:
        verdict = "so what was found is more than the luck of the search"
    elif unlikely or above:
        verdict = "so it is not clear whether what was found is more than the luck of the search"
    else:
        verdict = "so nothing was found that the luck of the search would not explain"
    return (
        f"{trials} configurations were tried, {deflated.tried} networks counting each epoch. The best has a validation"
        f" skill of {deflated.skill:+.4f}; chosen on some days and scored on others, such a best has"
        f" {deflated.deflated:+.4f} ({low:+.4f} to {high:+.4f}). If none were better than persistence, a best as good"
        f" as this would come up with probability {deflated.p_value:.3f}, {verdict}."
    )


def write_search(
    folder: Path, found: Tuning, deflated: Deflated, *, trials: int, tested: dict[str, Any] | None
) -> Path:
    """Write <study>/report.html; returns its path.

    Args:
        folder: of the study.
        found: by the search.
        deflated: its winner.
        trials: how many configurations were tried.
        tested: `skill` on the test days with `skill_ci`, `skill_of_prices`, `run`, and after how many `trials`.
    """
    rows = [
        ("best of all on validation days", (f"{deflated.skill:+.4f}",)),
        ("the same, deflated for the search", (_interval(deflated.deflated, deflated.deflated_ci),)),
    ]
    text = [describe(deflated, trials)]
    if tested is not None:
        for label, name in (("on the test days", "skill"), ("on the test days, of prices", "skill_of_prices")):
            rows.append((label, (_interval(tested[name], tested[f"{name}_ci"]),)))
        later = f" The search has gone on since, to {trials}." if trials > tested["trials"] else ""
        text.append(f"The test days were touched once, after {tested['trials']} configurations.{later}")
    method = (
        "Skill is 1 - MAE / MAE of persistence, of log returns in units of volatility. Deflation draws blocks of days,"
        " chooses the best on them and scores it on the days not drawn (Tsamardinos et al. 2018); the probability is"
        " that of the test of superior predictive ability (Hansen 2005)."
    )
    best = Table("the winner", ("value",), tuple((name, (plain(value),)) for name, value in _chosen(found).items()))
    picture = embed(
        selection(found.trials, deflated, tested), "selection", "Every trial, and what is left of the best."
    )
    sections = [
        Section("What was found", tuple(text), (Table("skill", ("value",), tuple(rows)), best), (picture,)),
        Section("How it was judged", (method,)),
    ]
    return write_gallery(folder / "report.html", "A search, and what its winner is worth", str(folder), sections)


def _interval(value: float, interval: Any) -> str:
    return f"{value:+.4f} ({interval[0]:+.4f} to {interval[1]:+.4f})"


def _chosen(found: Tuning) -> dict[str, Any]:
    return {name: getattr(found.best_config, name) for name in found.space}
