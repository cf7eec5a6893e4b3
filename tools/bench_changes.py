"""What changed between two results of `nox -s bench`, beyond what their repeats differ by."""

from collections.abc import Iterator

from bench_results import Measured, Results, Row, digits

COLUMNS = ("project", "loop", "precision", "old", "new", "change", "verdict")
LEAST = 0.05
"""A smaller change is never marked: the repeats of one run do not show how much the machine drifts until the next."""
LEGEND = f"Marked is what differs by {100 * LEAST:.0f} % or more while the middle halves of the repeats lie apart."
PEAK = 0.1
"""So much may a measured peak differ before it is told: the machine had other work, or is another."""


def changes(old: Results, new: Results) -> list[list[str]]:
    """A line for each loop of the benchmarks that were run now; what vanished comes last."""
    before = {row.key: row for row in old.rows if row.benchmark in new.benchmarks}
    lines = []
    for row in new.rows:
        was = before.pop(row.key, None)
        if was is None or was.unit != row.unit:
            lines.append([*name(row), "", shown(row), "", "new"])
            continue
        alike = same_command(old.benchmarks.get(was.benchmark), new.benchmarks[row.benchmark])
        verdict = judge(was, row) if alike else "other options"
        lines.append([*name(row), shown(was), shown(row), f"{100 * (row.rate / was.rate - 1):+.1f} %", verdict])
    return lines + [[*name(row), shown(row), "", "", "gone"] for row in before.values()]


def name(row: Row) -> list[str]:
    return [row.project, row.label, row.precision]


def shown(row: Row) -> str:
    return f"{digits(row.rate)} {row.unit}"


def same_command(old: Measured | None, new: Measured) -> bool:
    return old is not None and old.options == new.options


def judge(old: Row, new: Row) -> str:
    """`slower` or `faster` where the middle halves of the repeats lie apart; nothing where they do not."""
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return "not repeated"
    if abs(new.rate / old.rate - 1) < LEAST:
        return ""
    if new.high < old.low:
        return "SLOWER"
    return "FASTER" if new.low > old.high else ""


def notes(old: Results, new: Results) -> list[str]:
    """How the circumstances differ, without which a change of speed may mean nothing."""
    found: dict[str, list[str]] = {}
    for field in ("cpu", "cores", "system"):
        was, now = getattr(old.machine, field), getattr(new.machine, field)
        if was != now:
            found[f"another machine: {field} {was} -> {now}"] = []
    for script, measured in new.benchmarks.items():
        if script in old.benchmarks:
            for difference in differences(old.benchmarks[script], measured):
                found.setdefault(difference, []).append(script)
    return [f"{', '.join(scripts)}: {text}" if scripts else text for text, scripts in found.items()]


def differences(old: Measured, new: Measured) -> Iterator[str]:
    """How the circumstances of one benchmark differ."""
    if not same_command(old, new):
        yield f"options `{' '.join(old.options)}` -> `{' '.join(new.options)}`"
    if not old.versions or not new.versions:  # it did not come so far as to tell
        return
    for field in ("device", "threads"):
        if (was := getattr(old, field)) != (now := getattr(new, field)):
            yield f"{field} {was} -> {now}"
    for library in dict.fromkeys([*old.versions, *new.versions]):
        if (was := old.versions.get(library, "none")) != (now := new.versions.get(library, "none")):
            yield f"{library} {was} -> {now}"
    for precision in old.peaks.keys() & new.peaks.keys():
        if abs(new.peaks[precision] / old.peaks[precision] - 1) > PEAK:
            gigaflops = [f"{found.peaks[precision] / 1e9:,.0f}" for found in (old, new)]
            yield f"peak in {precision} {' -> '.join(gigaflops)} GFLOP/s: the machine is another or had other work"
