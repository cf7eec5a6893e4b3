"""The look of every picture: colour-blind safe, readable at the size of a page, drawn without pyplot's global state."""

from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito (2008), "Color Universal Design": told apart with every common form of colour blindness.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#000000")
SEQUENTIAL = "cividis"  # the map for amounts; its lightness rises evenly
DIVERGING = "RdBu_r"  # the map for signed amounts
LIGHT = 0.55  # the place on the scale of SEQUENTIAL from which dark text is the readable one
MARKERS = "osD^vP*X"

RC: Any = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLORS),
    "legend.frameon": False,
    "figure.dpi": 110,
    "savefig.dpi": 160,
}


def figure(
    title: str, *, rows: int = 1, cols: int = 1, width: float = 7.0, height: float = 4.2, **subplots: Any
) -> tuple[Figure, Any]:
    """A titled figure in the house style, and its axes as `Figure.subplots` returns them; sizes in inches."""
    with mpl.rc_context(RC):
        fig = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(fig)
        fig.suptitle(title, fontsize=13, fontweight="bold")
        return fig, fig.subplots(rows, cols, **subplots)
