"""The likeliest next words of a language model whose tokens are parts of words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from dl_architectures.nlp.answers import Candidate
from dl_architectures.nlp.decoding import UNFINISHED, Reader

ROUNDS = 6  # tokens of the longest word that is told
BRANCHES = 8  # ways to continue the beginning of a word, the likeliest
JOINING = frozenset("'’-_")  # beside letters and digits, these go on with a word


@dataclass(frozen=True)
class Surfaces:
    """How each token looks in a text.

    Attributes:
        texts: of each token, with the space in front of it.
        joins: whether it goes on with the word in front of it.
        usable: whether a word may hold it: it is neither empty nor special, and no half of a character.
    """

    texts: list[str]
    joins: Bool[Tensor, " vocab"]
    usable: Bool[Tensor, " vocab"]

    @classmethod
    def of(cls, tokenizer: Any, vocab: int) -> "Surfaces":
        """Those of a tokenizer's tokens; `vocab` is the number that the network knows."""
        # Behind a letter, so that a tokenizer that drops the space at the beginning of a text keeps it.
        anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]
        known = min(vocab, len(tokenizer))
        texts = tokenizer.batch_decode([[*anchor, token] for token in range(known)], clean_up_tokenization_spaces=False)
        length = len(tokenizer.decode(anchor, clean_up_tokenization_spaces=False))
        texts = [text[length:] for text in texts] + [""] * (vocab - known)
        special = set(tokenizer.all_special_ids)
        usable = [bool(text.strip()) and UNFINISHED not in text and n not in special for n, text in enumerate(texts)]
        joins = [bool(text) and (text[0].isalnum() or text[0] in JOINING) for text in texts]
        return cls(texts, torch.tensor(joins), torch.tensor(usable))


@dataclass(frozen=True)
class _Beginning:
    """The first tokens of a word, their probability, and the row of the reader that has read all but the last."""

    text: str
    probability: float
    row: int
    token: int


def next_words(
    reader: Reader,
    logits: Float[Tensor, "1 vocab"],
    surfaces: Surfaces,
    *,
    count: int,
    spaced: bool,
    cancelled: Callable[[], bool],
) -> tuple[Candidate, ...] | None:
    """The likeliest whole words, by a search for the best first.

    The probability of a word is that of its tokens, times that of the next token beginning another word, summed over
    the ways to write it that the search has met. The beginning of a word is at least as probable as any word that
    starts so: the search ends when no beginning that is left could make it into the list, or after `ROUNDS` tokens.

    Args:
        reader: that has read the text.
        logits: of the next token.
        surfaces: of the tokens.
        count: how many words.
        spaced: the text's last space was left out of what was read; words begin with it, and are told without.
        cancelled: asked between passes.

    Returns:
        At most `count` words, the likeliest first; None if it was cancelled.
    """
    found: dict[str, float] = {}
    beginnings = _first(torch.softmax(logits[0], dim=-1), surfaces, max(count, BRANCHES), spaced, found)
    for _ in range(ROUNDS):
        bar = sorted(found.values(), reverse=True)[count - 1] if len(found) >= count else 0.0
        beginnings = sorted((b for b in beginnings if b.probability > bar), key=lambda b: -b.probability)[:count]
        if not beginnings:
            break
        if cancelled():
            return None
        reader.select(torch.tensor([beginning.row for beginning in beginnings]))
        following = torch.softmax(reader.read(torch.tensor([[beginning.token] for beginning in beginnings])), dim=-1)
        beginnings = [
            longer
            for row, beginning in enumerate(beginnings)
            for longer in _extend(beginning, row, following[row], surfaces, found)
        ]
    best = sorted(found.items(), key=lambda pair: -pair[1])[:count]
    return tuple(Candidate(text=word[spaced:], probability=probability) for word, probability in best)


def _first(
    probabilities: Float[Tensor, " vocab"], surfaces: Surfaces, count: int, spaced: bool, found: dict[str, float]
) -> list[_Beginning]:
    """How words may begin; what is complete by itself, a comma say, is `found`."""
    allowed = surfaces.usable
    if spaced:
        allowed = allowed & torch.tensor([text.startswith(" ") for text in surfaces.texts])
    values, tokens = _likeliest(torch.where(allowed, probabilities, 0.0), count)
    beginnings = []
    for probability, token in zip(values, tokens, strict=True):
        text = surfaces.texts[token]
        if text.lstrip()[0].isalnum():
            beginnings.append(_Beginning(text, probability, 0, token))
        else:
            found[text] = found.get(text, 0.0) + probability
    return beginnings


def _extend(
    beginning: _Beginning, row: int, following: Float[Tensor, " vocab"], surfaces: Surfaces, found: dict[str, float]
) -> list[_Beginning]:
    """Longer beginnings; the word that ends here is `found`."""
    goes_on = torch.where(surfaces.joins, following, 0.0)
    ends = beginning.probability * (1.0 - float(goes_on.sum()))
    found[beginning.text] = found.get(beginning.text, 0.0) + ends
    values, tokens = _likeliest(torch.where(surfaces.usable, goes_on, 0.0), BRANCHES)
    return [
        _Beginning(beginning.text + surfaces.texts[token], beginning.probability * value, row, token)
        for value, token in zip(values, tokens, strict=True)
    ]


def _likeliest(probabilities: Float[Tensor, " vocab"], count: int) -> tuple[list[float], list[int]]:
    """The largest values that are not 0, and their places."""
    values, places = probabilities.topk(min(count, len(probabilities)))
    kept: Int[Tensor, " kept"] = places[values > 0]
    return values[values > 0].tolist(), kept.tolist()
