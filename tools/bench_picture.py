"""The picture of `nox -s bench`: for each project, our loops beside the textbook's."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from bench_results import Row, digits, reference
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dl_shared.plots.comparison import literal
from dl_shared.plots.style import COLORS, figure

OURS: dict[str, Any] = {"color": COLORS[0]}
BESIDE: dict[str, Any] = {"facecolor": "white", "edgecolor": "black", "hatch": "////"}
INCHES = 0.24  # of a bar
HEAD = 0.75  # inches of a panel besides its bars


def picture(rows: Sequence[Row]) -> Figure | None:
    """A panel for each project, those of many bars first; of our loops, the fastest in each precision.

    None where no two loops can be compared.
    """
    panels = {row.project: chosen(row.project, rows) for row in rows}
    ranked = sorted((panel for panel in panels.items() if panel[1]), key=lambda panel: -len(panel[1]))
    if not ranked:
        return None
    cols = min(2, len(ranked))
    lines = list(zip_longest(*[iter(ranked)] * cols))
    places = [len(line[0][1]) for line in lines]  # for bars, which are as thick in one panel as in another
    heights = [HEAD + INCHES * count for count in places]
    fig, grid = figure(
        "Our loops beside the textbook's, which is 1",
        rows=len(lines),
        cols=cols,
        width={1: 7.0, 2: 11.0}[cols],
        height=sum(heights) + 0.8,
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
    )
    for axes_of_line, line, count in zip(grid, lines, places, strict=True):
        for axes, panel in zip(axes_of_line, line, strict=True):
            if panel is None:
                axes.set_visible(False)
            else:
                draw(axes, *panel)
                axes.set_ylim(count - 0.4, -0.6)
    key = "solid: ours; hatched: the textbook's (eager PyTorch's for XLA); line: the middle half of the repeats"
    fig.supxlabel(key, fontsize=9)
    return fig


def chosen(project: str, rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """The bars of a project, each with the loop that it is measured by; case by case, the latter last."""
    found: list[tuple[Row, Row]] = []
    for case in dict.fromkeys(row.case for row in rows if row.project == project):
        ours = [row for row in rows if (row.project, row.case, row.kind) == (project, case, "ours")]
        beside = reference(ours[0], rows) if ours else None
        if beside is None:
            continue
        for precision in dict.fromkeys(row.precision for row in ours):
            found.append((max((row for row in ours if row.precision == precision), key=lambda row: row.rate), beside))
        found.append((beside, beside))
    return found


def draw(axes: Axes, project: str, bars: Sequence[tuple[Row, Row]]) -> None:
    """One panel; every bar says its rate, and the share of the machine's peak."""
    for place, (row, beside) in enumerate(bars):
        length = row.rate / beside.rate
        axes.barh(place, length, height=0.7, **(BESIDE if row is beside else OURS))
        end = length
        if row.low is not None and row.high is not None:
            axes.plot([row.low / beside.rate, row.high / beside.rate], [place, place], color="black", linewidth=1.5)
            end = max(end, row.high / beside.rate)
        share = "" if row.of_peak is None else f", {100 * row.of_peak:.1f} % of peak"
        axes.annotate(
            f"{digits(row.rate)}{share}", (end, place), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    longest = max(row.rate / beside.rate for row, beside in bars)
    axes.set_xlim(0, 1.7 * longest)
    axes.set_yticks(range(len(bars)), [literal(f"{row.label}, {row.precision}") for row, _ in bars], fontsize=8)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="y", visible=False)
    axes.axvline(1, color="#555555", linewidth=1, linestyle="--", zorder=0)
    axes.set_title(f"{project}, {bars[0][0].unit}", fontsize=10, loc="left")
