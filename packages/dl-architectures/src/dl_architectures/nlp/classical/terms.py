"""Words as search engines see them: stems of those that carry meaning, and how rare each is among sentences."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float

# Words of grammar. Negations are not among them, since they change what a sentence says.
_GRAMMAR = (
    "a about above after again all also am an and any are as at be because been before being below between both but by "
    "can could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i if in into is it its itself just may me might more most must my myself of off on once only "
    "or other our ours out over own same shall she should so some such than that the their theirs them themselves then "
    "there these they this those through to too under until up upon us very was we were what when where which while "
    "who whom whose why will with would you your yours yourself"
)
STOP_WORDS = frozenset(_GRAMMAR.split())
_TERM = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Endings and what stands for them, longest first; enough to bring inflected forms together.
_ENDINGS = (("sses", "ss"), ("ies", "y"), ("ied", "y"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))
_SHORTEST_STEM = 3
_IRREGULAR = {
    form: stem
    for stem, forms in {
        "write": "wrote written", "win": "won", "begin": "began begun", "build": "built",
        "make": "made", "take": "took taken", "give": "gave given", "become": "became", "come": "came",
        "go": "went gone", "grow": "grew grown", "know": "knew known", "lead": "led", "leave": "left", "lose": "lost",
        "sell": "sold", "buy": "bought", "pay": "paid", "say": "said", "see": "saw seen", "speak": "spoke spoken",
        "teach": "taught", "think": "thought", "bring": "brought", "catch": "caught", "die": "died dying",
        "draw": "drew drawn", "fly": "flew flown", "hold": "held", "keep": "kept", "meet": "met", "rise": "rose risen",
        "run": "ran", "send": "sent", "sing": "sang sung", "spend": "spent", "steal": "stole stolen", "eat": "ate",
        "fall": "fell fallen", "feel": "felt", "fight": "fought", "drive": "drove driven", "child": "children",
        "man": "men", "woman": "women", "person": "people",
    }.items()
    for form in forms.split()
}  # fmt: skip


def stem(word: str) -> str:
    """A word in lower case without its inflection, roughly: `invented`, `invents` and `inventing` become `invent`."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("'")
    word = _IRREGULAR.get(word, word)
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= _SHORTEST_STEM:
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]  # stopped, stop
    return word[:-1] if len(word) > _SHORTEST_STEM and word[-1] == "e" else word


def terms(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    words = (match.group() for match in _TERM.finditer(text))
    return [stem(word) for word in words if word.lower() not in STOP_WORDS]


def term_spans(text: str) -> list[tuple[int, int]]:
    """Where all words stand, in order."""
    return [match.span() for match in _TERM.finditer(text)]


def inverse_frequency(documents: Sequence[Iterable[str]]) -> dict[str, float]:
    """How rare each term is: `log(1 + (n - d + 0.5) / (d + 0.5))` for a term that is in `d` of `n` documents.

    Robertson and Zaragoza 2009, "The probabilistic relevance framework: BM25 and beyond", with the 1 that keeps it
    above zero.
    """
    counts = Counter(term for document in documents for term in set(document))
    n = len(documents)
    return {term: float(np.log1p((n - d + 0.5) / (d + 0.5))) for term, d in counts.items()}


def tfidf_vectors(documents: Sequence[Sequence[str]]) -> sp.csr_matrix:
    """A row of length 1 for each document; a document without terms has a row of zeros."""
    weights = inverse_frequency(documents)
    column = {term: i for i, term in enumerate(sorted(weights))}
    rows, columns, values = [], [], []
    for row, document in enumerate(documents):
        for term, count in sorted(Counter(document).items()):
            rows.append(row)
            columns.append(column[term])
            values.append((1 + np.log(count)) * weights[term])
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(len(documents), len(column)), dtype=np.float64)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.diags(1 / np.maximum(lengths, 1e-12)) @ matrix


def similarities(vectors: sp.csr_matrix) -> Float[np.ndarray, "documents documents"]:
    """Cosines between all pairs."""
    return np.asarray((vectors @ vectors.T).todense())
