"""An n-gram model of characters with interpolated, modified Kneser-Ney smoothing.

Chen and Goodman (1999), "An empirical study of smoothing techniques for language modeling", section 3, with three
discounts per order and continuation counts below the highest order; the last back-off is uniform over the vocabulary.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dl_shared.baselines.cache import cached
from dl_shared.files import fingerprint

ORDERS = (3, 4, 5, 6, 7, 8)
ABSENT = -1  # stands for a character before the beginning of the text


@dataclass(frozen=True)
class _Order:
    """Counts of one context length; contexts and n-grams are numbered by their place in sorted arrays of codes."""

    contexts: Int[np.ndarray, " contexts"]  # code = number of the context one shorter * vocab + its oldest character
    ngrams: Int[np.ndarray, " ngrams"]  # code = number of the context * vocab + the character that follows
    discounted: Float[np.ndarray, " ngrams"]  # count less its discount
    totals: Float[np.ndarray, " contexts"]  # sum of counts after each context
    left_over: Float[np.ndarray, " contexts"]  # sum of the discounts: what the shorter context hands out


class KneserNey:
    """Character probabilities given the `order - 1` characters before.

    Args:
        ids: the training text as integers in `[0, vocab_size)`, at least `order` of them.
        vocab_size: size of the vocabulary, characters never seen included.
        order: length of the longest n-gram, the predicted character included.

    Raises:
        ValueError: if the text is shorter than one n-gram.
    """

    def __init__(self, ids: Int[np.ndarray, " characters"], vocab_size: int, order: int) -> None:
        if order < 1 or len(ids) < order:
            raise ValueError(f"need a text of at least order = {order} >= 1 characters, got {len(ids)}")
        self.vocab_size, self.order = vocab_size, order
        self._orders = self._count(ids.astype(np.int64))

    def nats(
        self, ids: Int[np.ndarray, " characters"], context: Int[np.ndarray, " before"] | None = None
    ) -> Float[np.ndarray, " characters"]:
        """Minus the log probability of each character; `context` is the text before the first."""
        before = np.full(self.order - 1, ABSENT, np.int64)
        if context is not None and self.order > 1:
            tail = context[-(self.order - 1) :]
            before[len(before) - len(tail) :] = tail
        text = np.concatenate([before, ids.astype(np.int64)])
        newest_first = [text[self.order - 2 - k : len(text) - 1 - k] for k in range(self.order - 1)]
        return -np.log(self._probabilities(newest_first, ids.astype(np.int64)))

    def distribution(self, context: Int[np.ndarray, " before"]) -> Float[np.ndarray, " vocab"]:
        """Probabilities of every character after a context."""
        candidates = np.arange(self.vocab_size)
        tail = context[::-1][: self.order - 1]
        newest_first = [
            np.full(self.vocab_size, tail[k] if k < len(tail) else ABSENT, np.int64) for k in range(self.order - 1)
        ]
        return self._probabilities(newest_first, candidates)

    def _probabilities(
        self, newest_first: list[Int[np.ndarray, " positions"]], following: Int[np.ndarray, " positions"]
    ) -> Float[np.ndarray, " positions"]:
        """The paper's recursion from the shortest context up; an unseen context leaves the shorter one's answer."""
        probability = np.full(len(following), 1 / self.vocab_size)
        context = np.zeros(len(following), np.int64)
        for length, counts in enumerate(self._orders):
            if length:
                oldest = newest_first[length - 1]
                known = (context >= 0) & (oldest != ABSENT)
                context = np.where(known, _find(counts.contexts, context * self.vocab_size + oldest), -1)
            seen = np.flatnonzero(context >= 0)
            at = context[seen]
            ngram = _find(counts.ngrams, at * self.vocab_size + following[seen])
            kept = np.where(ngram >= 0, counts.discounted[ngram], 0)
            probability[seen] = (kept + counts.left_over[at] * probability[seen]) / counts.totals[at]
        return probability

    def _count(self, ids: Int[np.ndarray, " characters"]) -> list[_Order]:
        vocab, longest = self.vocab_size, self.order - 1
        following = ids[longest:]
        context = np.zeros(len(following), np.int64)
        contexts, codes, raw = [], [], []
        for length in range(self.order):
            if length:
                oldest = ids[longest - length : len(ids) - length]
                unique, context = np.unique(context * vocab + oldest, return_inverse=True)
            else:
                unique = np.zeros(1, np.int64)
            contexts.append(unique)
            ngrams, counts = np.unique(context * vocab + following, return_counts=True)
            codes.append(ngrams)
            raw.append(counts)

        orders = []
        for length in range(self.order):
            counts = raw[length]
            if length < longest:  # continuation counts: how many different characters come before this n-gram
                longer_context, last = np.divmod(codes[length + 1], vocab)
                suffix = contexts[length + 1][longer_context] // vocab
                counts = np.bincount(_find(codes[length], suffix * vocab + last), minlength=len(codes[length]))
            discounts = _discounts(counts)[np.minimum(counts, 3)]
            owner = codes[length] // vocab
            orders.append(
                _Order(
                    contexts=contexts[length],
                    ngrams=codes[length],
                    discounted=counts - discounts,
                    totals=np.bincount(owner, counts, len(contexts[length])),
                    left_over=np.bincount(owner, discounts, len(contexts[length])),
                )
            )
        return orders


def _discounts(counts: Int[np.ndarray, " ngrams"]) -> Float[np.ndarray, " 4"]:
    """What to take from counts of 0, 1, 2 and 3 or more (section 3 of the paper).

    A text with few distinct n-grams may lack some of the counts of counts; then half a count is taken, as much as
    absolute discounting would take where singletons are as common as not.
    """
    n1, n2, n3, n4 = (int((counts == i).sum()) for i in (1, 2, 3, 4))
    if min(n1, n2, n3, n4) == 0:
        return np.array([0, 0.5, 0.5, 0.5])
    y = n1 / (n1 + 2 * n2)
    d = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
    return np.clip(d, [0, 0.01, 0.01, 0.01], [0, 0.99, 1.99, 2.99])


def _find(sorted_codes: Int[np.ndarray, " codes"], wanted: Int[np.ndarray, " queries"]) -> Int[np.ndarray, " queries"]:
    """Where each wanted code stands, or -1."""
    place = np.minimum(np.searchsorted(sorted_codes, wanted), len(sorted_codes) - 1)
    return np.where(sorted_codes[place] == wanted, place, -1)


def ngram_baseline(
    train: Int[np.ndarray, " train_characters"],
    validation: Int[np.ndarray, " validation_characters"],
    test: Int[np.ndarray, " test_characters"],
    vocab_size: int,
    orders: tuple[int, ...] = ORDERS,
) -> dict[str, np.ndarray]:
    """Fit on the training text, choose the order on the validation text, score the test text; cached.

    Each part is read with the part before it as context.

    Returns:
        `nats` `(test_characters,)`; `order`; `validation_loss`, nats per character of each of `orders`.
    """

    def compute() -> dict[str, np.ndarray]:
        models = [KneserNey(train, vocab_size, order) for order in orders]
        losses = np.array([model.nats(validation, context=train).mean() for model in models])
        best = int(losses.argmin())
        nats = models[best].nats(test, context=np.concatenate([train, validation]))
        return {"nats": nats, "order": np.array(orders[best]), "validation_loss": losses}

    key = fingerprint(train, validation, test, np.array([vocab_size, *orders]))
    return cached("ngram", key, compute)
