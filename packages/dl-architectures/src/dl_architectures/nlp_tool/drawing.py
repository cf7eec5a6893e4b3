"""Pieces of HTML and Markdown in which every text is escaped, so that what was typed or answered is only ever text."""

import base64
import re
from collections.abc import Iterable, Sequence
from html import escape

from dl_architectures.nlp.answers import Weight

# Translucent colours on the theme's own background do for light and dark. Blue and orange: told apart with every common
# form of colour blindness (Okabe and Ito 2008).
STYLE = """
<style>
.stMainBlockContainer { padding-top: 4rem; }
.stMainBlockContainer h1 { font-size: 2.25rem; }
.nlp-text { white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.6; }
.nlp-given { opacity: 0.6; }
.nlp-text mark { color: inherit; background: rgba(230, 159, 0, 0.35); border-radius: 0.25rem; padding: 0.05rem 0.1rem; }
.nlp-text span.nlp-weight { border-radius: 0.25rem; padding: 0.05rem 0; }
.nlp-bar { display: grid; grid-template-columns: 1fr 4rem; gap: 0.75rem; align-items: center; min-height: 2.5rem; }
.nlp-bar.nlp-named { grid-template-columns: minmax(4rem, 8rem) 1fr 4rem; min-height: 2rem; }
.nlp-bar b { font-weight: 400; overflow-wrap: anywhere; }
.nlp-bar i { display: block; height: 0.6rem; border-radius: 0.3rem; background: rgba(127, 127, 127, 0.2); }
.nlp-bar i i { background: #0072B2; min-width: 2px; }
.nlp-bar span { font-variant-numeric: tabular-nums; text-align: right; }
.nlp-key { font-size: 0.875rem; opacity: 0.8; }
.nlp-picture img { width: min(100%, 24rem); aspect-ratio: 1; image-rendering: pixelated; border-radius: 0.5rem; }
</style>
"""
_BLUE, _ORANGE = "0, 114, 178", "213, 94, 0"
_PUNCTUATION = re.compile(r"([!-/;-@\[-`{-~])")  # all of ASCII's but the colon


def label(text: str, limit: int = 200) -> str:
    """Text for the label of a widget or a message, which Streamlit reads as Markdown.

    A colon begins an icon or a colour, backslash or not; an invisible joiner after it ends that.
    """
    line = " ".join(text.split())
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return _PUNCTUATION.sub(r"\\\1", line).replace(":", ":\u2060")


def plain(text: str, *, given: str = "") -> str:
    """Text with its line breaks; `given` is what it continues, paler."""
    before = f'<span class="nlp-given">{escape(given)}</span>' if given else ""
    return f'<div class="nlp-text">{before}{escape(text)}</div>'


def marked(text: str, spans: Iterable[tuple[int, int]], *, around: int | None = None) -> str:
    """Text with some parts marked.

    Args:
        text: the whole.
        spans: starts and ends, in order, without overlap.
        around: characters to show before the first mark and after the last; all unless given.
    """
    spans = [(start, end) for start, end in spans if start < end]
    first, last = (spans[0][0], spans[-1][1]) if spans else (0, 0)
    begin, finish = (0, len(text)) if around is None else (max(first - around, 0), min(last + around, len(text)))
    parts, position = ["…" if begin else ""], begin
    for start, end in spans:
        parts += [escape(text[position:start]), f"<mark>{escape(text[start:end])}</mark>"]
        position = end
    parts += [escape(text[position:finish]), "…" if finish < len(text) else ""]
    return f'<div class="nlp-text">{"".join(parts)}</div>'


def weighed(text: str, weights: Sequence[Weight]) -> str:
    """Text whose parts are blue where they speak for the label and orange where against, the stronger the darker."""
    strongest = max((abs(weight.value) for weight in weights), default=0.0) or 1.0
    parts, position = [], 0
    for weight in weights:
        strength = abs(weight.value) / strongest
        color = f"rgba({_BLUE if weight.value > 0 else _ORANGE}, {0.7 * strength:.2f})"
        parts += [
            escape(text[position : weight.start]),
            f'<span class="nlp-weight" style="background: {color}" title="{weight.value:+.2f}">'
            f"{escape(text[weight.start : weight.end])}</span>",
        ]
        position = weight.end
    parts.append(escape(text[position:]))
    key = "Blue speaks for the label, orange against it; the stronger, the darker."
    return f'<div class="nlp-text">{"".join(parts)}</div><p class="nlp-key">{key}</p>'


def bar(share: float, *, name: str = "", longest: float = 1.0) -> str:
    """One bar with its percentage.

    Args:
        share: from 0 to 1.
        name: to its left, if any.
        longest: the share that fills the whole width.
    """
    named = f"<b>{escape(name)}</b>" if name else ""
    width = 100 * share / longest if longest else 0
    return (
        f'<div class="nlp-bar{" nlp-named" if name else ""}">{named}'
        f'<i><i style="width: {width:.1f}%"></i></i><span>{percent(share)}</span></div>'
    )


def picture(png: bytes, alt: str) -> str:
    """A picture, large enough to be seen, its pixels sharp."""
    data = base64.b64encode(png).decode()
    return f'<div class="nlp-picture"><img src="data:image/png;base64,{data}" alt="{escape(alt)}"></div>'


def percent(share: float) -> str:
    """A share as a percentage, small ones with the digits that tell them from none."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.1g} %"


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    return f"{seconds:.1f} s" if seconds >= 0.9995 else f"{1000 * seconds:.0f} ms"
