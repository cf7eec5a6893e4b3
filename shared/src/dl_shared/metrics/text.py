"""Scores of a language model and of the text it writes."""

import math
import re
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from dl_shared.metrics.bootstrap import bootstrap_replicates, percentile_interval

BLOCK = 500  # characters; about as far as one hard passage makes its neighbours hard
MATCH_LIMIT = 2**11  # characters; longer runs count as this long
COPIED_RUN = 40  # characters; about a line, longer than what two texts share by chance

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def likelihood_scores(total_nats: float, count: int) -> dict[str, float]:
    """Scores of a text from the sum of minus log probabilities and the number of characters.

        loss = total / count (nats per character),  bits_per_character = loss / ln 2,  perplexity = exp(loss)

    Raises:
        ValueError: if there is no character, or the total is negative or not a number.
    """
    if count < 1 or not total_nats >= 0:
        raise ValueError(f"need at least one character and a total of at least 0 nats, got {count} and {total_nats}")
    loss = total_nats / count
    return {"loss": loss, "bits_per_character": loss / math.log(2), "perplexity": _exp(loss)}


def _exp(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf


def character_scores(
    nats: Float[np.ndarray, " characters"], *, replicates: int = 1000, seed: int = 0
) -> dict[str, float | list[float]]:
    """:func:`likelihood_scores` of a text, each with its interval `<name>_ci`.

    Neighbouring characters are easy or hard together, so the interval resamples blocks of 500 characters, not
    single ones (the block bootstrap, Künsch 1989); of a text shorter than that, tenths.

    Raises:
        ValueError: if there is no character, or a value that is negative or not finite.
    """
    if not len(nats) or not np.isfinite(nats).all() or nats.min() < 0:
        raise ValueError("need at least one character, and finite values of at least 0 nats")
    scores: dict[str, float | list[float]] = {**likelihood_scores(float(nats.sum(dtype=np.float64)), len(nats))}
    starts = np.arange(0, len(nats), min(BLOCK, max(1, len(nats) // 10)))
    totals = np.add.reduceat(nats.astype(np.float64), starts)
    counts = np.diff(np.append(starts, len(nats)))
    losses = bootstrap_replicates(lambda t, n: t.sum() / n.sum(), totals, counts, replicates=replicates, seed=seed)
    low, high = percentile_interval(losses)
    scores["loss_ci"] = [float(low), float(high)]
    scores["bits_per_character_ci"] = [float(low / math.log(2)), float(high / math.log(2))]
    scores["perplexity_ci"] = [_exp(low), _exp(high)]
    return scores


def words(text: str) -> list[str]:
    """The words of a text in lower case; apostrophes inside a word belong to it, digits and signs to none."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def bleu(hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Corpus BLEU in percent (Papineni et al. 2002), by sacrebleu with its default tokenisation.

    Where no hypothesis has four words, the order that they do have is the highest counted (`effective_order`), instead
    of a score of 0.

    Raises:
        ValueError: if there is no hypothesis, or not one reference for each.
    """
    from sacrebleu.metrics import BLEU

    if not hypotheses or len(hypotheses) != len(references):
        raise ValueError(f"need one reference for each hypothesis, got {len(references)} for {len(hypotheses)}")
    short = all(len(hypothesis.split()) < 4 for hypothesis in hypotheses)
    return float(BLEU(effective_order=short).corpus_score(list(hypotheses), [list(references)]).score)


def distinct_n(texts: Sequence[str], n: int) -> float:
    """Different n-grams of words / all n-grams of words (Li et al. 2016); 0 when there is none."""
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    grams: list[tuple[str, ...]] = []
    for text in texts:
        tokens = words(text)
        grams += zip(*(tokens[i:] for i in range(n)), strict=False)
    return len(set(grams)) / len(grams) if grams else 0.0


def known_word_share(text: str, vocabulary: Collection[str]) -> float:
    """Share of the words of a text that are in a vocabulary of lower-case words; 0 when it has no word."""
    written = words(text)
    return sum(word in vocabulary for word in written) / len(written) if written else 0.0


def longest_matches(text: str, source: str) -> Int[np.ndarray, " characters"]:
    """For each place in a text, the length of the longest run from there on that also stands in the source.

    A suffix array of both texts by prefix doubling (Manber and Myers 1993): `ranks[k][i]` orders the 2^k characters
    from i on, so equal ranks mean equal characters. Of all source places, the sorted neighbours match longest. Runs
    are counted up to 2,047 characters. About a second for a source of a million characters.
    """
    if not text or not source:
        return np.zeros(len(text), np.int64)
    ends = "\U0010fffe", "\U0010ffff"  # noncharacters: no text holds them, so no run crosses an end
    both = np.frombuffer((text + ends[0] + source + ends[1]).encode("utf-32-le", "surrogatepass"), "<u4")
    ranks = [np.unique(both, return_inverse=True)[1].astype(np.int64)]
    length = 1
    while 2 * length < MATCH_LIMIT:
        later = np.full(len(both), -1, np.int64)
        later[:-length] = ranks[-1][length:]
        ranks.append(np.unique(ranks[-1] * (len(both) + 1) + later, return_inverse=True)[1].astype(np.int64))
        length *= 2

    order = np.argsort(ranks[-1], kind="stable")
    in_source = order > len(text)
    place = np.arange(len(order))
    before = np.maximum.accumulate(np.where(in_source, place, -1))
    after = np.minimum.accumulate(np.where(in_source, place, len(order))[::-1])[::-1]
    longest = np.zeros(len(text), np.int64)
    from_text = np.flatnonzero(order < len(text))
    for neighbour in (before, after):
        found = from_text[(neighbour[from_text] >= 0) & (neighbour[from_text] < len(order))]
        starts = order[found]
        longest[starts] = np.maximum(longest[starts], _common_prefix(ranks, starts, order[neighbour[found]]))
    return longest


def _common_prefix(
    ranks: list[Int[np.ndarray, " both"]], one: Int[np.ndarray, " pairs"], other: Int[np.ndarray, " pairs"]
) -> Int[np.ndarray, " pairs"]:
    """How many characters two places share, found from the longest power of two down."""
    shared = np.zeros(len(one), np.int64)
    last = len(ranks[0]) - 1
    for k in reversed(range(len(ranks))):
        equal = ranks[k][np.minimum(one + shared, last)] == ranks[k][np.minimum(other + shared, last)]
        shared += np.where(equal, 2**k, 0)
    return shared


def copied(matches: Int[np.ndarray, " characters"], minimum: int = COPIED_RUN) -> Bool[np.ndarray, " characters"]:
    """Which characters lie inside a run of at least `minimum` characters that stands in the source."""
    change = np.zeros(len(matches) + 1, np.int64)
    starts = np.flatnonzero(matches >= minimum)
    np.add.at(change, starts, 1)
    np.add.at(change, np.minimum(starts + matches[starts], len(matches)), -1)
    return np.cumsum(change[:-1]) > 0


def writing_scores(samples: Sequence[str], training_text: str) -> dict[str, float]:
    """What can be said of generated text without a reference.

    Returns:
        `distinct_1`, `distinct_2`; `known_words`, the share of words that the training text has; `longest_copy`, the
        longest run of characters that stands in the training text; `copied`, the share of characters inside such runs
        of at least 40.

    Raises:
        ValueError: if there is no sample with text.
    """
    samples = [sample for sample in samples if sample]
    if not samples:
        raise ValueError("there is no generated text to score")
    matches = _matches_by_sample(samples, training_text)
    return {
        "distinct_1": distinct_n(samples, 1),
        "distinct_2": distinct_n(samples, 2),
        "known_words": known_word_share("\n".join(samples), set(words(training_text))),
        "longest_copy": float(max(match.max() for match in matches)),
        "copied": float(np.concatenate([copied(match) for match in matches]).mean()),
    }


def _matches_by_sample(samples: Sequence[str], training_text: str) -> list[Int[np.ndarray, " characters"]]:
    """:func:`longest_matches` of several samples for one sorting; a noncharacter keeps them apart."""
    matches = longest_matches("\ufffe".join(samples), training_text)
    starts = np.cumsum([0, *(len(sample) + 1 for sample in samples)])
    return [matches[start : start + len(sample)] for start, sample in zip(starts, samples, strict=False)]
