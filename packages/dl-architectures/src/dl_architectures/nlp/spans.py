"""Texts cut into parts that a network can read, by where their tokens and words stand."""

import re
from collections.abc import Sequence
from typing import Any

from dl_shared.data.sentences import sentence_spans

WORD = re.compile(r"\S+")

Span = tuple[int, int]


def parts(text: str, tokenizer: Any, longest: int, *, whole_sentences: bool = False) -> list[tuple[Span, int]]:
    """Cut a text into parts of at most `longest` tokens, special ones not counted.

    Args:
        text: whole.
        tokenizer: of transformers, one that tells where tokens stand.
        longest: tokens of a part.
        whole_sentences: end a part after a sentence, where its second half has the end of one.

    Returns:
        `(start, end)` of each part and its number of tokens.
    """
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False).offset_mapping
    found = []
    first = 0
    while first < len(offsets):
        last = min(first + longest, len(offsets))
        if whole_sentences and last < len(offsets):
            last = _after_sentence(text, offsets, (first + last) // 2, last)
        found.append(((offsets[first][0], offsets[last - 1][1]), last - first))
        first = last
    return found


def _after_sentence(text: str, offsets: Sequence[Span], least: int, most: int) -> int:
    """How many tokens end with the last sentence that ends between the two numbers of tokens; `most` if none does."""
    begin, end = offsets[least][0], offsets[most][0]
    last = max((stop for _, stop in sentence_spans(text[begin:end])[:-1]), default=0)  # the last may be cut off
    return next((n for n in range(most, least, -1) if offsets[n - 1][1] <= begin + last), most)


def groups(text: str, span: Span, most: int) -> list[Span]:
    """The words of a part of a text, as at most `most` passages of about as many words each.

    Args:
        text: whole.
        span: of the part.
        most: passages.
    """
    words = [match.span() for match in WORD.finditer(text, *span)]
    size = -(-len(words) // most)
    return [(words[n][0], words[min(n + size, len(words)) - 1][1]) for n in range(0, len(words), size)] if words else []
