"""Extractive summaries: the sentences that stand for most of the others, without saying anything twice.

A classical method, with nothing learned. Sentences are vectors of TF-IDF weights. How central each is comes from a
random walk between similar ones (Mihalcea and Tarau 2004, "TextRank"; Erkan and Radev 2004, "LexRank", section 3); the
beginning of a text, where authors say what matters, counts for a little more. Then sentences are taken one by one, by
maximal marginal relevance (Carbonell and Goldstein 1998). A long text is read in parts, and what was taken from the
parts is read as a text again.
"""

import math
import re
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from dl_architectures.nlp.answers import SummaryAnswer
from dl_architectures.nlp.classical.terms import similarities, terms, tfidf_vectors
from dl_architectures.nlp.names import SummaryLength
from dl_shared.data.sentences import sentence_spans

_DANGLING = re.compile(r"(?:he|she|it|they|his|her|its|their|this|these|that|but|however)\b", re.IGNORECASE)
Span = tuple[int, int]

# Of the text's sentences, the share to keep, and the least and the most.
LENGTHS: dict[SummaryLength, tuple[float, int, int]] = {
    "short": (0.1, 1, 3),
    "medium": (0.2, 2, 6),
    "long": (0.35, 3, 12),
}
PART = 200  # sentences that are read together: the walk needs the similarity of every pair
DAMPING = 0.85  # of the walk, as in PageRank
LEAD = 0.4  # what being the first sentence is worth, where 1 is being the most central; half of it a tenth further on
SAME = 0.9  # sentences more similar than this say the same, and one of them is enough
RELEVANCE = 0.7  # against novelty, when sentences are taken
ALONE = 0.7  # what is left of the relevance of a sentence that begins with a pronoun, whose noun may be left out
FEWEST_TERMS = 3  # a sentence with fewer says nothing on its own


def summarise(text: str, length: SummaryLength = "medium") -> SummaryAnswer:
    """The most telling sentences of a text, in its order; all of it where it has no more than were to be taken."""
    spans = sentence_spans(text)
    share, least, most = LENGTHS[length]
    wanted = min(most, max(least, round(share * len(spans))))
    parts = math.ceil(len(spans) / PART) or 1
    kept = spans
    while len(kept) > PART:
        groups = np.array_split(np.arange(len(kept)), math.ceil(len(kept) / PART))
        chosen = [[kept[i] for i in group] for group in groups]
        # At least halves what is left, or reading the parts' summaries again would not end.
        kept = [span for part in chosen for span in _taken(text, part, max(wanted, PART // (2 * len(groups))))]
    kept = _taken(text, kept, wanted)
    return SummaryAnswer(
        text=" ".join(" ".join(text[start:end].split()) for start, end in kept), spans=tuple(kept), parts=parts
    )


def centrality(similarity: Float[np.ndarray, "sentences sentences"]) -> Float[np.ndarray, " sentences"]:
    """How often a random walk between similar sentences is at each: PageRank on a weighted graph; sums to 1.

    Args:
        similarity: of each pair, not negative; a sentence's similarity with itself is not looked at.
    """
    n = len(similarity)
    weights = similarity - np.diag(similarity.diagonal())
    leaving = weights.sum(axis=1, keepdims=True)
    steps = np.where(leaving > 0, weights / np.where(leaving > 0, leaving, 1), 1 / n)
    # The stationary distribution solves a linear system, which needs no iteration and no tolerance.
    walk = np.linalg.solve(np.eye(n) - DAMPING * steps.T, np.full(n, (1 - DAMPING) / n))
    return walk / walk.sum()


def _taken(text: str, spans: Sequence[Span], wanted: int) -> list[Span]:
    """So many of the sentences, in their order."""
    if len(spans) <= wanted:
        return list(spans)
    documents = [terms(text[start:end]) for start, end in spans]
    similarity = similarities(tfidf_vectors(documents))
    relevance = centrality(similarity)
    relevance = relevance / relevance.max() + LEAD * 0.5 ** (np.arange(len(spans)) / max(1.0, len(spans) / 10))
    relevance[[len(document) < FEWEST_TERMS for document in documents]] *= 0.1
    relevance[[bool(_DANGLING.match(text, start)) for start, _ in spans]] *= ALONE
    nearest = np.zeros(len(spans))
    score = RELEVANCE * relevance
    chosen: list[int] = []
    for _ in range(wanted):
        best = int(np.argmax(score))
        chosen.append(best)
        nearest = np.maximum(nearest, similarity[best])
        score = RELEVANCE * relevance - (1 - RELEVANCE) * nearest - (nearest > SAME)
        score[chosen] = -np.inf
    return [spans[i] for i in sorted(chosen)]
