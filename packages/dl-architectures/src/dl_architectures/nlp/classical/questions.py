"""Extractive question answering by rules: the sentence that a search engine would find, and in it a passage of the kind
asked for.

A classical method, with nothing learned. Sentences are ranked by how much of the question's information they hold, with
words weighed as in BM25 (Robertson and Zaragoza 2009); what a question asks for is told from its words (the kinds are
after Li and Roth 2002, "Learning question classifiers"), and so is what in the sentence is of that kind. It understands
no synonyms and no turns of phrase: it knows the answer where the text says it in the words of the question.
"""

from dataclasses import dataclass

from dl_architectures.nlp.answers import QuestionAnswer
from dl_architectures.nlp.classical.question_kinds import KIND_WORDS, Asked, Span, passages, read_question
from dl_architectures.nlp.classical.terms import STOP_WORDS, inverse_frequency, stem, term_spans, terms
from dl_shared.data.sentences import sentence_spans

ENOUGH = 0.45
"""A lower score than this means that the text does not tell."""
READ = 5  # sentences, the best ones, in which passages are looked for
NEIGHBOUR = 0.5  # what a word of the question counts for in the sentence before
EARLIER = 0.7  # what a name counts for that stands anywhere before: "Ada was a poet's daughter. ... She wrote ..."
NAME = 0.6  # how telling a name is: it is what the text is about, and in many sentences or meant by their pronouns
ABSENT = 1.5  # how telling a word is that the text lacks: perhaps it does not tell at all
PRONOUNS = frozenset(("he", "she", "it", "they", "his", "her", "its", "their", "this", "these"))
FAR = 0.3  # how near the question's words are that stand in another sentence
OPENING = 6  # words at the beginning of a sentence, where a pronoun means somebody named before
BRIEF = 12  # words about as long as a sentence should be; longer ones are likelier to hold a word by chance
LONGER = 0.15  # how much that matters


@dataclass(frozen=True)
class _Context:
    """A text, prepared."""

    sentences: list[Span]
    documents: list[list[str]]
    """The stems of each sentence."""
    refers: list[bool]
    """Whether a pronoun is among the first words of each sentence."""
    first: dict[str, int]
    """The first sentence with a stem in it."""


@dataclass(frozen=True)
class _Query:
    """A question, prepared."""

    asked: Asked
    weights: dict[str, float]
    """How telling each stem that carries meaning is; they sum to 1."""
    names: frozenset[str]
    """Stems of its proper names."""


def answer_question(question: str, context: str) -> QuestionAnswer:
    """The passage of a text that answers a question, or that there is none.

    The score is the share of the question's information that the sentence holds, lowered where the passage is not quite
    of the kind asked for.
    """
    text = _read(context)
    query = _prepared(question, text.documents)
    ranked = sorted(
        ((_coverage(query, text, number), number) for number in range(len(text.sentences))),
        key=lambda pair: (-pair[0], pair[1]),
    )
    best: tuple[float, float, Span] = (0.0, 0.0, (0, 0))
    for coverage, number in ranked[:READ]:
        start, end = text.sentences[number]
        for span, fit in _fitting(context[start:end], query):
            near = _nearness(context[start:end], span, query)
            rank, score = coverage * fit * near, coverage * (0.5 + 0.5 * fit)
            if rank > best[0]:
                best = (rank, score, (start + span[0], start + span[1]))
    _, score, (start, end) = best
    if query.names and not query.names & text.first.keys():
        score *= 0.5  # it asks about somebody of whom the text says nothing
    return QuestionAnswer(
        found=score >= ENOUGH, text=context[start:end], start=start, end=end, score=round(min(1.0, score), 4)
    )


def _read(context: str) -> _Context:
    sentences = sentence_spans(context)
    documents = [terms(context[start:end]) for start, end in sentences]
    refers: list[bool] = []
    first: dict[str, int] = {}
    for number, ((start, end), document) in enumerate(zip(sentences, documents, strict=True)):
        opening = [context[start:end][slice(*span)].lower() for span in term_spans(context[start:end])[:OPENING]]
        refers.append(not PRONOUNS.isdisjoint(opening))
        for term in document:
            first.setdefault(term, number)
    return _Context(sentences, documents, refers, first)


def _prepared(question: str, documents: list[list[str]]) -> _Query:
    words = [question[start:end] for start, end in term_spans(question)]
    telling = [stem(word) for word in words if word.lower() not in STOP_WORDS and stem(word) not in KIND_WORDS]
    capitals = {stem(word) for word in words[1:] if word[0].isupper()}
    names = frozenset(capitals & set(telling))
    rarity = inverse_frequency([*documents, []])
    most = ABSENT * max(rarity.values(), default=1.0)
    weights = {term: rarity.get(term, most) * (NAME if term in names else 1.0) for term in telling}
    total = sum(weights.values()) or 1.0
    shares = {term: weight / total for term, weight in weights.items()}
    return _Query(read_question(question), shares, names)


def _coverage(query: _Query, context: _Context, number: int) -> float:
    """The share of the question's information in a sentence and, at a discount, in what its pronouns may mean."""
    here = set(context.documents[number])
    before = set(context.documents[number - 1]) if number else set()
    refers = context.refers[number]
    held = 0.0
    for term, weight in query.weights.items():
        if term in here:
            held += weight
        elif refers and term in query.names and context.first.get(term, number) < number:
            held += EARLIER * weight
        elif term in before and (refers or here & query.weights.keys()):
            held += NEIGHBOUR * weight
    return held / (1 + LONGER * max(0.0, len(context.documents[number]) / BRIEF - 1))


def _fitting(sentence: str, query: _Query) -> list[tuple[Span, float]]:
    """Passages of the kind asked for; for a reason or a manner that nothing announces, the whole sentence."""
    found = passages(sentence, query.asked)
    if not found and query.asked.kind in ("reason", "manner"):
        return [((0, len(sentence)), 0.6)]
    return found


def _nearness(sentence: str, span: Span, query: _Query) -> float:
    """From 0 to 1: how close the words of the question are to a passage, each as far as it is telling."""
    words = term_spans(sentence)
    inside = [i for i, (start, end) in enumerate(words) if start < span[1] and end > span[0]]
    nearest: dict[str, int] = {}
    for i, (start, end) in enumerate(words):
        term = stem(sentence[start:end])
        if term in query.weights:
            distance = max(inside[0] - i, i - inside[-1], 0)
            nearest[term] = min(distance, nearest.get(term, distance))
    if not nearest:
        return FAR
    close = sum(query.weights[term] / (1 + distance / 4) for term, distance in nearest.items())
    return close / sum(query.weights[term] for term in nearest)
