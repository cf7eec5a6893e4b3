"""Where the sentences of an English text begin and end."""

import re

# The end of a sentence, its closing quotes and brackets with it; or the end of a paragraph, or of an item of a list.
_END = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n\s*\n|\n(?=[ \t]*(?:[-*•]|\d+[.)])\s)")
_LAST_WORD = re.compile(r"[\w.]+$")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
_SHORTENED = (
    "mr mrs ms dr prof st jr sr vs e.g i.e cf vol fig gen col capt lt sgt rev hon gov sen rep inc ltd co corp dept est "
    "approx jan feb mar apr jun jul aug sep sept oct nov dec"
)
_ABBREVIATIONS = frozenset(_SHORTENED.split())
_LONGEST_ABBREVIATION = 12  # characters


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Where sentences stand, in order: sentence i is `text[start:end]`, without space around it.

    A full stop ends a sentence where the next word does not begin with a small letter and the one before is neither an
    abbreviation nor a single letter ("Dr. Smith", "J. S. Bach"); a blank line and an item of a list end one, too. Every
    character but space is in exactly one sentence.
    """
    spans, start = [], 0
    for match in _END.finditer(text):
        if match.group()[0] != "\n" and not _ends_a_sentence(text, match):
            continue
        spans.append((start, match.end()))
        start = match.end()
    spans.append((start, len(text)))
    return [stripped for span in spans if (stripped := _stripped(text, *span)) is not None]


def _ends_a_sentence(text: str, match: re.Match[str]) -> bool:
    following = text[match.end() : match.end() + 50].lstrip()
    if following[:1].islower() or following[:1] in tuple(",;:"):
        return False
    if match.group()[0] != "." or len(match.group().rstrip("\"'”’)]")) > 1:
        return True
    before = _LAST_WORD.search(text, max(0, match.start() - _LONGEST_ABBREVIATION), match.start())
    word = before.group() if before else ""
    if word.lower() in _ABBREVIATIONS:
        return False
    return word in ("I", "a") or not _INITIALS.fullmatch(word)


def _stripped(text: str, start: int, end: int) -> tuple[int, int] | None:
    part = text[start:end]
    if not part.strip():
        return None
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))
