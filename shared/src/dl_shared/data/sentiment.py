"""How good the news in a headline is, by a lexicon: no network, no training."""

import importlib.metadata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dl_shared.errors import InputError
from dl_shared.files import fingerprint

# VADER's words come from social media. Those of analysts are added, on its scale from -4 to 4: ours, by judgement.
ANALYSTS = {
    **dict.fromkeys(("beat", "beats", "upgrade", "upgrades", "upgraded", "outperform", "outperforms"), 1.9),
    **dict.fromkeys(("raises", "raised", "hikes", "tops", "surges", "surge", "soars", "rallies", "jumps"), 1.6),
    **dict.fromkeys(("rises", "higher", "bullish", "overweight", "rebounds", "record", "expands"), 1.2),
    **dict.fromkeys(("miss", "misses", "downgrade", "downgrades", "downgraded", "underperform"), -1.9),
    **dict.fromkeys(("cuts", "slashes", "lowers", "lowered", "plunges", "plunge", "tumbles", "sinks"), -1.6),
    **dict.fromkeys(("falls", "lower", "bearish", "underweight", "slumps", "recall", "probe", "layoffs"), -1.2),
    # Words of praise among people, and of nothing in finance.
    **dict.fromkeys(("share", "shares", "interest", "free", "credit", "gross"), 0.0),
}


class Lexicon:
    """VADER (Hutto and Gilbert 2014, ICWSM), with the words of `ANALYSTS` beside its own.

    Raises:
        InputError: if the package vaderSentiment is not installed.
    """

    def __init__(self) -> None:
        try:
            from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
        except ImportError:
            raise InputError("headlines are scored by vaderSentiment; pip install vaderSentiment") from None
        self.analyzer = SentimentIntensityAnalyzer()
        self.analyzer.lexicon.update(ANALYSTS)
        words = [f"{word} {value}" for word, value in sorted(ANALYSTS.items())]
        self.name = f"vader {importlib.metadata.version('vaderSentiment')} {fingerprint(words)}"

    def __call__(self, titles: Sequence[str]) -> Float[np.ndarray, " titles"]:
        """From -1 to 1: VADER's `compound`."""
        return np.array([self.analyzer.polarity_scores(title)["compound"] for title in titles], float)
