"""Texts become token ids: tokenised once and kept, cut to length for each run anew.

A tokenizer is a fast one of transformers, which is not imported here: it is given.
"""

from collections.abc import Sequence
from typing import Any

from dl_shared.data.token_cache import cached_tokens
from dl_shared.data.tokens import Tokens, Truncation, truncate
from dl_shared.files import fingerprint


def encode(
    tokenizer: Any, texts: Sequence[str], *, max_length: int, truncation: Truncation, keep: bool = False
) -> Tokens:
    """Ids with the special tokens around them, cut to `max_length`.

    Args:
        tokenizer: of the model.
        texts: any strings, empty ones too.
        max_length: tokens that are kept of each, special ones included.
        truncation: which of them, where there are more.
        keep: write the ids of the whole texts to the cache, or take them from there.
    """
    backend = _plain(tokenizer)

    def tokenize(some: list[str]) -> list[list[int]]:
        return [encoded.ids for encoded in backend.encode_batch_fast(some, add_special_tokens=False)]

    if keep:
        key = fingerprint([backend.to_str()])
        tokens = cached_tokens(texts, tokenize, key)
    else:
        tokens = Tokens.of(tokenize(list(texts)))
    before, after = special_tokens(tokenizer)
    return truncate(tokens, max_length, truncation, before=before, after=after)


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the model wants in front of a text and behind it, such as [CLS] and [SEP]."""
    encoded = _plain(tokenizer).encode("a")
    ordinary = [place for place, special in enumerate(encoded.special_tokens_mask) if not special]
    return encoded.ids[: ordinary[0]], encoded.ids[ordinary[-1] + 1 :]


def spans(tokenizer: Any, text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids of a whole text without special tokens, and where in the text each stands: first character, and one past."""
    encoded = _plain(tokenizer).encode(text, add_special_tokens=False)
    return encoded.ids, encoded.offsets


def unread_tokens(tokenizer: Any, text: str, max_length: int) -> int:
    """Tokens of a text that are left out where `max_length` are kept, special ones included."""
    before, after = special_tokens(tokenizer)
    return max(0, len(spans(tokenizer, text)[0]) - (max_length - len(before) - len(after)))


def _plain(tokenizer: Any) -> Any:
    """The tokenizer itself, which neither cuts nor pads, whatever its folder says."""
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend
