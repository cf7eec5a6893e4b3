"""Film reviews in which the words say little and their order says all, with labels flipped at a known rate.

The opinion of a review is that of its verdict sentence. A verdict may be negated from a distance ("nobody in the room
thought the plot was dull") or set against its opposite, where the main clause decides: "the cast was superb , but the
plot was dull", "although the cast was superb , the plot was dull", "the plot was dull , although the cast was superb".
So half of the reviews hold praise and blame in equal measure, and counts of words, or of pairs of them, cannot tell
which wins. Every form is as likely for one label as for the other. On 6,000 reviews TF-IDF with logistic regression is
right about 0.75 of the time, a reader of the grammar 0.96 (`python benchmarks/text_and_tables.py`).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

FLIP_RATE = 0.05
CONTRAST = 0.5  # chance that the verdict is set against its opposite
NEGATION = 0.2  # chance that a clause says the contrary of its adjective

ASPECTS = ("plot", "cast", "music", "ending", "photography", "story")
PRAISE = ("superb", "great", "moving", "clever", "funny", "gripping")
BLAME = ("dull", "awful", "clumsy", "silly", "boring", "weak")
NEGATORS = (
    "nobody in the room thought the {} was {}",
    "i would never say that the {} was {}",
    "i doubt that anyone found the {} {}",
)
PLAIN = ("the {} was {}", "i must say that the {} was {}", "everyone found the {} {}")
NEUTRAL = (
    "i saw this film on a rainy tuesday .",
    "my brother had lent me the disc .",
    "it runs for about two hours .",
    "the film was shot in a small town near the coast .",
    "it is the second film by this director .",
    "we watched it after dinner .",
)


@dataclass(frozen=True)
class SampleReviews:
    """Reviews, their labels, and what an oracle knows about them."""

    texts: list[str]
    labels: Int[np.ndarray, " reviews"]
    """1 for positive, 0 for negative; some are flipped."""
    opinions: Int[np.ndarray, " reviews"]
    """What the text says: the best prediction of the label."""
    flip_rate: float


def make_reviews(count: int, seed: int, flip_rate: float = FLIP_RATE) -> SampleReviews:
    """Draw reviews; deterministic in the seed.

    No model can expect more than an accuracy of `1 - flip_rate`, or less than the entropy of that as a loss.

    Raises:
        ValueError: on fewer than one review, or a rate outside [0, 0.5).
    """
    if count < 1 or not 0 <= flip_rate < 0.5:
        raise ValueError(f"need at least one review and a flip rate in [0, 0.5), got {count} and {flip_rate}")
    rng = np.random.default_rng([seed, 0x4E1])
    opinions = rng.permutation(np.arange(count) % 2)
    labels = np.where(rng.random(count) < flip_rate, 1 - opinions, opinions)
    return SampleReviews([_review(bool(opinion), rng) for opinion in opinions], labels, opinions, flip_rate)


def _review(positive: bool, rng: np.random.Generator) -> str:
    sentences = [_choose(NEUTRAL, rng) for _ in range(rng.integers(1, 4))]
    sentences.insert(int(rng.integers(len(sentences) + 1)), _verdict(positive, rng))
    return " ".join(sentences)


def _verdict(positive: bool, rng: np.random.Generator) -> str:
    aspect, other = rng.choice(ASPECTS, 2, replace=False)
    main = _clause(str(aspect), positive, rng)
    if rng.random() >= CONTRAST:
        return f"{main} ."
    aside = _clause(str(other), not positive, rng)
    return _choose((f"{aside} , but {main} .", f"although {aside} , {main} .", f"{main} , although {aside} ."), rng)


def _clause(aspect: str, positive: bool, rng: np.random.Generator) -> str:
    negated = rng.random() < NEGATION
    adjective = _choose(PRAISE if positive != negated else BLAME, rng)
    return _choose(NEGATORS if negated else PLAIN, rng).format(aspect, adjective)


def _choose(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
