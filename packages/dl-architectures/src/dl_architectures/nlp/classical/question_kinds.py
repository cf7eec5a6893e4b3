"""What kind of thing a question asks for, and which passages of a sentence are of that kind: rules, nothing learned."""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dl_architectures.nlp.classical.terms import STOP_WORDS, stem, term_spans, terms

Kind = Literal["person", "place", "time", "number", "reason", "manner", "thing"]
Span = tuple[int, int]

_ASKED: tuple[tuple[Kind, str], ...] = (
    ("time", r"\bwhen\b|\b(?:what|which) (?:year|date|day|month|century|decade|season|time)\b|\bhow long ago\b"),
    ("number", r"\bhow (?:many|much|old|long|far|tall|high|big|large|deep|fast|heavy|wide|often)\b"),
    (
        "number",
        r"\bwhat (?:is |was |were |are )?(?:the )?(?:percentage|share|number|price|cost|population|age|height)\b",
    ),
    (
        "place",
        r"\bwhere\b|\b(?:what|which) (?:cit(?:y|ies)|countr(?:y|ies)|"
        r"(?:town|place|village|state|continent|street|region|island)s?)\b",
    ),
    ("person", r"\bwho(?:m|se)?\b|\b(?:what|which) (?:person|man|woman|author|scientist|king|queen|president)\b"),
    ("reason", r"\bwhy\b|\bwhat (?:caused|causes|reason)\b|\bfor what reason\b"),
    ("manner", r"\bhow\b"),
)
# Words that say which kind is asked for, and need not stand in the text.
_ASKING = (
    "what which who how many much old long far tall high big large deep fast heavy wide often year date day month "
    "century time city country town place person kind type sort number"
)
KIND_WORDS = frozenset(map(stem, _ASKING.split()))
_AGE = frozenset({"old"})  # asked for in this word, and told in others
_TOLD_AGE = frozenset(map(stem, ("age", "aged")))
_PREPOSITIONS = frozenset(
    ("from", "in", "of", "with", "on", "for", "by", "through", "to", "at", "about", "against", "into", "under", "over")
)

_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_TIMES = re.compile(
    rf"\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}(?:,? \d{{4}})?\b"
    rf"|\b{_MONTH}(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?\b"
    rf"|\b\d{{4}}-\d{{2}}-\d{{2}}\b|\b(?:the )?(?:early |mid-|late )?\d{{1,2}}(?:st|nd|rd|th) century\b"
    rf"|\b(?:the )?(?:early |mid-|late )?[12]\d{{3}}s?\b(?: BCE?\b| AD\b)?|\b\d{{1,4}} BCE?\b"
    rf"|\b(?:(?:last|next|every|this) (?:year|month|week|{_WEEKDAY}))\b|\b{_WEEKDAY}(?: (?:morning|evening|night))?\b"
    r"|\b\d{1,2}(?::\d{2})? ?(?:a\.m\.|p\.m\.|am\b|pm\b|o'clock)|\b\d{1,2}:\d{2}\b|\b(?:yesterday|today|tomorrow)\b"
    r"|\b\w+ (?:years|months|weeks|days|hours|minutes) (?:ago|later|earlier)\b|\b(?:noon|midnight)\b"
)
_COUNT = (
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    r"eighteen|nineteen|(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:-\w+)?|hundreds?|thousands?|dozens?)"
)
_NUMBERS = re.compile(
    rf"(?:[$€£]\s?)?\b\d+(?:[,.]\d+)*(?: (?:hundred|thousand|million|billion|trillion))?"
    rf"(?: ?%|(?: per ?cent| percent)\b)?"
    rf"|\b{_COUNT}(?: (?:hundred|thousand|million|billion))*\b|\b(?:twice|once)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"[ -](?:(?:square|cubic) )?(?:kilomet|met|centimet|millimet|mile|kilogram|gram|ton|pound|foot|feet|inch|"
    r"year|month|week|day|hour|minute|second|degree|euro|dollar|lit|watt|kilowatt|time)\w*\b"
    r"(?: (?:old|long|tall|high|deep|wide|an? \w+|per \w+))?"
)
_NAME = re.compile(
    r"\b[A-Z][\w'’-]*\.?(?:(?: (?:de|da|van|von|der|of|the|and(?= [A-Z])|la|le|du|del|bin|al)){0,2} [A-Z][\w'’.-]*)*"
)
_ENUMERATED = re.compile(r", (?:and )?| and ")
_REASON = re.compile(r"\b(?:because(?: of)?|since|due to|owing to|thanks to|so that|in order to|as a result of)\b")
_MANNER = re.compile(r"\b(?:by|with|using|through|via)\b")
_PLACE_BEFORE = re.compile(r"\b(?:in|at|to|from|near|into|on|through|of|towards?|outside|inside|over|under)(?: the)? $")
_PLACE_PHRASE = re.compile(
    r"\b(?:in|at|near|into|on|under|inside|outside|behind|beside|above|below) "
    r"((?:the|a|an|his|her|their|its) [a-z][\w-]*(?: [a-z][\w-]*)?)"
)
_CLAUSE_END = re.compile(r"[,;:.!?()]|$")
_CHUNK_BREAK = re.compile(r"[,;:.!?()\"“”]")
_COPULA = re.compile(r"\b(?:is|are|was|were|be|been|called|named|known as|means?|meant|became|becomes?)(?: also)? $")
_INSIDE = frozenset({"of", "the", "and", "a", "an", "for", "in", "to", "or", "by", "with", "on", "from", "as"})


@dataclass(frozen=True)
class Asked:
    """What a question asks for."""

    kind: Kind
    stems: frozenset[str]
    """Of all its words; a passage made of nothing else answers nothing."""
    noun: str
    """The stem after `what` or `which`, as in `which institute`; empty if there is none."""
    preposition: str
    """That the question ends with, as in `what did she die from`; empty if there is none."""


def read_question(question: str) -> Asked:
    """What is asked for; the kind is `thing` where the question does not tell."""
    lowered = question.lower()
    found = ((match.start(), kind) for kind, words in _ASKED if (match := re.search(words, lowered)))
    kind: Kind = min(found, key=lambda pair: pair[0], default=(0, "thing"))[1]  # type: ignore[arg-type]
    words = [lowered[start:end] for start, end in term_spans(lowered)]
    stems = frozenset(map(stem, words))
    after = next((word for before, word in itertools.pairwise(words) if before in ("what", "which")), "")
    noun = "" if after in STOP_WORDS or stem(after) in KIND_WORDS else stem(after)
    last = words[-1] if words and words[-1] in _PREPOSITIONS else ""
    return Asked(kind, stems | (_TOLD_AGE if stems & _AGE else frozenset()), noun, last)


def passages(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    """Passages of a sentence that could be the answer, each with how well it fits what is asked for, from 0 to 1."""
    found = _FINDERS[asked.kind](sentence, asked)
    return [(span, fit) for span, fit in found if not _is_asked(sentence[slice(*span)], asked.stems)]


def _is_asked(passage: str, stems: frozenset[str]) -> bool:
    words = [passage[start:end] for start, end in term_spans(passage)]
    return all(stem(word) in stems or word.lower() in STOP_WORDS for word in words)


def _names(sentence: str) -> list[Span]:
    """Runs of words with capitals, without a word of grammar that only begins the sentence."""
    names: list[Span] = []
    for match in _NAME.finditer(sentence):
        start, end = match.span()
        if _TIMES.fullmatch(match.group()):
            continue
        first = match.group().split(" ")[0]
        if first.lower() in STOP_WORDS:
            start += len(first) + 1
        end -= len(match.group()) - len(match.group().rstrip(".'’"))
        if start < end and sentence[start].isupper():
            if names and _ENUMERATED.fullmatch(sentence, names[-1][1], start):
                start = names.pop()[0]  # "Brazil, Peru and Colombia" is one answer
            names.append((start, end))
    return names


def _people(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    found = []
    for start, end in _names(sentence):
        # A word that begins the sentence has its capital for that, so a single one there is less sure to be a name.
        alone = start == 0 and " " not in sentence[:end]
        placed = _PLACE_BEFORE.search(sentence[:start])
        by = sentence[:start].endswith(" by ")
        found.append(((start, end), 1.0 if by else 0.5 if placed else 0.7 if alone else 0.9))
    return found


def _places(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    named = [((start, end), 1.0 if _PLACE_BEFORE.search(sentence[:start]) else 0.6) for start, end in _names(sentence)]
    return named + [(match.span(1), 0.7) for match in _PLACE_PHRASE.finditer(sentence)]


def _times(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    return [(match.span(), 1.0) for match in _TIMES.finditer(sentence)]


def _numbers(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    """Numbers, with their unit; one that counts what was asked about fits best, one inside of a date least."""
    dates = [match.span() for match in _TIMES.finditer(sentence)]
    found = []
    for match in _NUMBERS.finditer(sentence):
        start, end = match.span()
        unit = _UNIT.match(sentence, end)
        counts = bool(asked.stems & {*terms(sentence[end:])[:2], *terms(sentence[:start])[-1:]})
        dated = any(first <= start < last for first, last in dates) and unit is None
        plain = unit is None and match.group()[0] not in "$€£" and match.group()[-1] != "%"
        fit = 0.1 if dated else 1.0 if counts else 0.6 if plain else 0.8
        found.append(((start, unit.end() if unit else end), fit))
    return found


def _reasons(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    found = []
    for match in _REASON.finditer(sentence):
        end = _clause_end(sentence, match.end())
        found.append(((match.start(), end), 1.0))
    purpose = [
        ((match.start(), _clause_end(sentence, match.end())), 0.5) for match in re.finditer(r"\bto [a-z]+\b", sentence)
    ]
    return found or purpose


def _manners(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    return [((match.start(), _clause_end(sentence, match.end())), 0.9) for match in _MANNER.finditer(sentence)]


def _clause_end(sentence: str, start: int) -> int:
    match = _CLAUSE_END.search(sentence, start)
    return len(sentence) if match is None else match.start()


def _things(sentence: str, asked: Asked) -> list[tuple[Span, float]]:
    """Names with the noun asked for in them, and runs of words that the question does not have, cut at punctuation.

    Best are those after the question's preposition, or after `is`, `was`, `called`.
    """
    found = [(span, 1.0) for span in _names(sentence) if asked.noun in map(stem, sentence[slice(*span)].split())]
    run: list[Span] = []

    def close() -> None:
        while run and sentence[slice(*run[0])].lower() in STOP_WORDS - {"the", "a", "an"}:
            run.pop(0)
        while run and sentence[slice(*run[-1])].lower() in STOP_WORDS:
            run.pop()
        if run:
            before = sentence[: run[0][0]].lower()
            announced = asked.preposition and before.endswith(f" {asked.preposition} ")
            fit = 1.0 if announced or _COPULA.search(before) else 0.3 if asked.preposition else 0.6
            found.append(((run[0][0], run[-1][1]), fit))
        run.clear()

    for start, end in term_spans(sentence):
        word = sentence[start:end].lower()
        if run and _CHUNK_BREAK.search(sentence, run[-1][1], start):
            close()
        if stem(word) in asked.stems or word == asked.preposition or (word in STOP_WORDS and word not in _INSIDE):
            close()
        else:
            run.append((start, end))
    close()
    return found


_FINDERS: dict[Kind, Callable[[str, Asked], list[tuple[Span, float]]]] = {
    "person": _people,
    "place": _places,
    "time": _times,
    "number": _numbers,
    "reason": _reasons,
    "manner": _manners,
    "thing": _things,
}
