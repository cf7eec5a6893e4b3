"""Pictures of language models and of labelled texts."""

import textwrap
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dl_shared.plots import comparison
from dl_shared.plots.style import COLORS, SEQUENTIAL, figure

MODEL, BASELINE = COLORS[0], COLORS[1]
SIGN_COLORS = (COLORS[1], COLORS[0])  # negative, positive


def loss_along_text(
    nats: Float[np.ndarray, " characters"], baseline_nats: Float[np.ndarray, " characters"], *, windows: int = 60
) -> Figure:
    """Mean loss in equal stretches of the text, in their order."""
    windows = max(1, min(windows, len(nats) // 50))
    edges = np.linspace(0, len(nats), windows + 1).astype(int)
    middle = (edges[1:] + edges[:-1]) / 2
    fig, axis = figure("Loss along the test text", width=8.0)
    for values, name, color in ((nats, "model", MODEL), (baseline_nats, "n-gram baseline", BASELINE)):
        means = np.add.reduceat(values, edges[:-1]) / np.diff(edges)
        axis.plot(middle, means, color=color, linewidth=1.6, label=name)
        axis.axhline(values.mean(), color=color, linewidth=1, linestyle="--", label=f"mean {values.mean():.3f}")
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlabel("place in the text (characters)")
    axis.set_ylabel("loss (nats per character)")
    axis.legend(fontsize=9, ncols=2)
    return fig


def loss_within_words(
    text: str,
    nats: Float[np.ndarray, " characters"],
    baseline_nats: Float[np.ndarray, " characters"],
    longest: int = 10,
) -> Figure:
    """Mean loss of the first, second, ... letter of a word, and of what stands between words."""
    place = np.zeros(len(text), np.int64)  # 0 between words, else which letter of its word
    for i, character in enumerate(text):
        place[i] = min(place[i - 1] + 1 if i else 1, longest) if character.isalpha() else 0
    fig, axis = figure("Loss by place in the word", width=8.0)
    counts = np.bincount(place, minlength=longest + 1)
    shown = np.flatnonzero(counts)
    for values, name, color, shift in ((nats, "model", MODEL, -0.2), (baseline_nats, "n-gram baseline", BASELINE, 0.2)):
        means = np.bincount(place, values, longest + 1)[shown] / counts[shown]
        axis.bar(shown + shift, means, width=0.38, color=color, label=name)
    names = ["between\nwords", *map(str, range(1, longest)), f"{longest} and\nlater"]
    axis.set_xticks(shown, [names[i] for i in shown])
    axis.set_xlabel("letter of the word")
    axis.set_ylabel("loss (nats per character)")
    axis.legend(fontsize=9)
    return fig


def surprising_text(
    text: str, nats: Float[np.ndarray, " characters"], *, columns: int = 64, rows: int = 16, ceiling: float = 5.0
) -> Figure:
    """A passage, each character on a ground that darkens with its loss, up to `ceiling` nats."""
    lines = _wrapped(text, columns)[:rows]
    cells = np.full((len(lines), columns), np.nan)
    for row, (start, end) in enumerate(lines):
        cells[row, : end - start] = nats[start:end]
    fig, axis = figure("What the model did not expect", width=9.0, height=0.8 + 0.29 * len(lines))
    ground = mpl.colormaps["Blues"].with_extremes(bad="white")
    image = axis.imshow(cells, cmap=ground, vmin=0, vmax=ceiling, aspect="auto")
    for row, (start, end) in enumerate(lines):
        for column, character in enumerate(text[start:end]):
            dark = cells[row, column] > 0.65 * ceiling
            shown = "↵" if character == "\n" else character
            axis.text(
                column, row, shown, ha="center", va="center", family="monospace", fontsize=9, parse_math=False,
                color="white" if dark else "black",
            )  # fmt: skip
    axis.set_axis_off()
    fig.colorbar(image, ax=axis, label="loss (nats)", fraction=0.02, pad=0.01)
    return fig


def losses_across_texts(
    losses: Float[np.ndarray, "models texts"], models: Sequence[str], texts: Sequence[str]
) -> Figure:
    """How hard each model finds each text; the model that finds a text easiest is framed."""
    fig, axis = figure("Whose style is it?", width=3.2 + 1.5 * len(texts), height=1.8 + 0.6 * len(models))
    image = axis.imshow(losses, cmap=SEQUENTIAL, aspect="auto")
    middle = (losses.min() + losses.max()) / 2
    for (row, column), value in np.ndenumerate(losses):
        color = "black" if value > middle else "white"
        axis.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
    for column, row in enumerate(losses.argmin(axis=0)):
        axis.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, fill=False, color=COLORS[1], linewidth=3))
    axis.set_xticks(range(len(texts)), [comparison.literal(text) for text in texts])
    axis.set_yticks(range(len(models)), [comparison.literal(model) for model in models])
    axis.grid(visible=False)
    axis.set_xlabel("test text")
    fig.colorbar(image, ax=axis, label="loss (nats per character)")
    return fig


def confident_mistakes(
    texts: Sequence[str],
    labels: Int[np.ndarray, " texts"],
    probabilities: Float[np.ndarray, "texts classes"],
    class_names: Sequence[str],
    *,
    count: int = 8,
    columns: int = 128,
) -> Figure:
    """The mistakes made with most confidence, most confident first; of a long text, its beginning and its end."""
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    worst = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:count]
    title = f"The most confident of {len(wrong):,} mistakes on {len(labels):,} test texts"
    fig, axis = figure(title, width=9.6, height=0.7 + 0.86 * max(1, len(worst)))
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(max(1, len(worst)), 0)
    for row, text in enumerate(worst):
        verdict = (
            f"labelled {class_names[labels[text]]}, predicted {class_names[predicted[text]]} "
            f"with {probabilities[text, predicted[text]]:.3f}"
        )
        axis.text(0, row + 0.18, verdict, va="center", fontsize=9, fontweight="bold", color=COLORS[1])
        for line, shown in enumerate(_two_lines(texts[text], columns)):
            at = row + 0.45 + 0.26 * line
            axis.text(0.02, at, shown, va="center", fontsize=8.5, family="monospace", parse_math=False)
    if len(worst) == 0:
        axis.text(0, 0.5, "none", fontsize=11)
    return fig


def _two_lines(text: str, columns: int) -> list[str]:
    """What can be printed of a text: all of it, or its beginning and its end."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    lines = textwrap.wrap(plain, columns)
    if len(lines) <= 2:
        return lines
    first, last = (textwrap.wrap(part, columns - 4) for part in (plain, plain[-(columns - 4) :]))
    return [f"{first[0]} ...", f"... {' '.join(last).strip()}"]


def _wrapped(text: str, columns: int) -> list[tuple[int, int]]:
    """Start and end of each line on the page: lines of the text, cut at `columns`."""
    lines, start = [], 0
    for i, character in enumerate(text):
        if character == "\n" or i + 1 - start == columns:
            lines.append((start, i + 1))
            start = i + 1
    if start < len(text):
        lines.append((start, len(text)))
    return lines


def label_shares(counts: Mapping[str, Sequence[int]], class_names: Sequence[str]) -> Figure:
    """How many texts of each class each part holds.

    Args:
        counts: part -> number of texts of each class.
        class_names: in the order of the counts.
    """
    fig, axis = figure("Labels in each part", width=6.5, height=3.6)
    parts = list(counts)
    width = 0.8 / len(class_names)
    for i, name in enumerate(class_names):
        at = np.arange(len(parts)) + (i - (len(class_names) - 1) / 2) * width
        bars = axis.bar(at, [counts[part][i] for part in parts], width * 0.95, color=SIGN_COLORS[i % 2], label=name)
        axis.bar_label(bars, fmt="{:,.0f}", fontsize=9)
    axis.set_xticks(range(len(parts)), parts)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_ylabel("texts")
    axis.margins(y=0.25)  # room for the legend above the numbers
    axis.legend(fontsize=9, ncols=len(class_names), loc="upper right")
    return fig


def length_distribution(
    lengths: Int[np.ndarray, " texts"], labels: Int[np.ndarray, " texts"], class_names: Sequence[str]
) -> Figure:
    """Lengths in words, one outline a class; the axis is logarithmic where lengths differ more than tenfold."""
    fig, axis = figure("How long the texts are")
    positive = np.maximum(lengths, 1)
    shortest, longest = int(positive.min()), int(positive.max()) + 1
    if longest > 10 * shortest:
        bins: np.ndarray = np.unique(np.round(np.geomspace(shortest, longest, 40)))
        axis.set_xscale("log")
    else:
        bins = np.arange(shortest, longest + 1, max(1, (longest - shortest) // 40)) - 0.5
    for label, name in enumerate(class_names):
        own = positive[labels == label]
        axis.hist(
            own, bins, histtype="step", linewidth=1.8, color=SIGN_COLORS[label % 2],
            label=f"{name}, median {np.median(own):.0f} words",
        )  # fmt: skip
    axis.xaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlabel("words in the text")
    axis.set_ylabel("texts")
    axis.legend(fontsize=9)
    return fig


def probability_histogram(
    probabilities: Float[np.ndarray, " texts"], labels: Int[np.ndarray, " texts"], class_names: Sequence[str]
) -> Figure:
    """Probability given to the second class, for the texts of either class."""
    fig, axis = figure(f"Predicted probability of “{class_names[1]}”")
    bins = np.linspace(0, 1, 41)
    for label, name in enumerate(class_names):
        axis.hist(
            probabilities[labels == label], bins, alpha=0.6, color=SIGN_COLORS[label], label=f"the label is {name}"
        )
    axis.axvline(0.5, color="#555555", linestyle="--", linewidth=1.2)
    axis.set_yscale("symlog", linthresh=10)
    axis.yaxis.set_major_formatter("{x:,.0f}")
    axis.set_xlabel(f"probability of {class_names[1]}")
    axis.set_ylabel("texts")
    axis.legend(fontsize=9)
    return fig


def errors_by_length(
    lengths: Int[np.ndarray, " texts"],
    wrong: Mapping[str, np.ndarray],
    *,
    groups: int = 8,
) -> Figure:
    """Error rate in groups of equal size by length, with 95 % Wilson intervals, one line a model.

    Args:
        lengths: in words.
        wrong: model -> bool `(texts,)`.
        groups: how many.
    """
    from scipy.stats import binomtest

    groups = max(1, min(groups, len(lengths) // 20))
    parts = np.array_split(np.argsort(lengths, kind="stable"), groups)
    fig, axis = figure("Errors by length")
    for (name, mistakes), color, shift in zip(wrong.items(), COLORS, (-0.06, 0.06, 0.18), strict=False):
        rates = np.array([mistakes[part].mean() for part in parts])
        bounds = [
            binomtest(int(mistakes[part].sum()), len(part)).proportion_ci(0.95, method="wilson") for part in parts
        ]
        span = np.abs(np.array([[bound.low, bound.high] for bound in bounds]).T - rates)
        at = np.arange(groups) + shift
        axis.errorbar(at, 100 * rates, 100 * span, fmt="o-", color=color, capsize=3, linewidth=1.5, label=name)
    axis.set_xticks(range(groups), [f"{lengths[part].min()}-{lengths[part].max()}" for part in parts], fontsize=9)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("words in the text")
    axis.set_ylabel("wrong (% of texts)")
    axis.legend(fontsize=9)
    return fig
