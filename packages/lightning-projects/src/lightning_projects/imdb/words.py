"""Words replaced by their stem or their dictionary form.

Neither needs a download at run time. Stems are NLTK's Snowball ("Porter2", Porter 2001), which is rules in code; NLTK's
own lemmatiser and spaCy's fetch a dictionary or a model first, so lemmas are simplemma's, whose dictionary is in its
package. Both look at one word at a time: "acting" the noun and the verb are the same to them.
"""

import re
from collections.abc import Callable, Sequence

from lightning_projects.imdb.config import Preprocess

# Letters with one inner apostrophe, so that "wasn't" is a word; all else is left as it stands.
WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")


def preprocess(texts: Sequence[str], kind: Preprocess) -> list[str]:
    """Texts with each word replaced; what is between words, numbers and marks, stays."""
    if kind == "none":
        return list(texts)
    change = _stemmer() if kind == "stem" else _lemmatiser()
    known: dict[str, str] = {}  # a hundred thousand words make up millions

    def replaced(match: re.Match[str]) -> str:
        word = match.group()
        if word not in known:
            known[word] = change(word)
        return known[word]

    return [WORD.sub(replaced, text) for text in texts]


def _stemmer() -> Callable[[str], str]:
    from nltk.stem.snowball import EnglishStemmer

    return EnglishStemmer().stem


def _lemmatiser() -> Callable[[str], str]:
    from simplemma import lemmatize

    def lemma(word: str) -> str:
        # Its dictionary takes "wasn't" for "be", and so loses what a review says; contractions stay.
        return word if "'" in word or "’" in word else lemmatize(word, lang="en")

    return lemma
