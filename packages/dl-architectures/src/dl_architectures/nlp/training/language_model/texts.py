"""The texts that the language model learns from: film reviews, plays, and articles of an encyclopedia."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dl_architectures.nlp.training.language_model import dialogues
from dl_architectures.nlp.training.language_model.dialogues import Dialogue
from dl_shared.data.corpus import read_text
from dl_shared.data.reviews import Reviews, clean, read_reviews, split_reviews
from dl_shared.data.sentences import sentence_spans
from dl_shared.errors import InputError
from dl_shared.files import fingerprint
from dl_shared.sample.grammar import make_text
from dl_shared.sample.reviews import make_reviews

SCENE = 1800  # characters about as long as a document of a play, cut where a speech ends
HELD_OUT = 0.02  # of the documents of each source, by which validation and test are made
UNKNOWN = "<unk>"  # of WikiText: a word that was too rare for its vocabulary
SAMPLE_REVIEWS, SAMPLE_LINES, SAMPLE_TALKS = 300, 900, 100


@dataclass(frozen=True)
class Part:
    """Documents by their source, and dialogues."""

    documents: dict[str, list[str]]
    dialogues: list[Dialogue]


@dataclass(frozen=True)
class Texts:
    """What is trained on, what is looked at while training, and what is tested once."""

    train: Part
    validation: Part
    test: Part
    sources: tuple[str, ...]
    """In words."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all documents and dialogues."""
        parts = (self.train, self.validation, self.test)
        flat = [text for part in parts for texts in part.documents.values() for text in texts]
        flat += [str(dialogue) for part in parts for dialogue in part.dialogues]
        return fingerprint(flat)


def load(source: str, seed: int) -> Texts:
    """The texts, cut into documents, with the dialogues that are made of them.

    Args:
        source: `sample`, or a folder with `imdb`, `shakespeare` and `wikitext2` in it, or some of them.
        seed: chooses what is held out, and draws the dialogues' questions.

    Raises:
        InputError: if there is nothing to read.
    """
    if source == "sample":
        return _parted(_sample(seed), ("made-up reviews and plays",), seed)
    folder = Path(source)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with imdb, shakespeare or wikitext2 in it, or `sample`")
    raw = _Raw()
    sources = []
    if (folder / "imdb").exists():
        # The test part of the reviews is left alone: the sentiment classifier is tested on it.
        splits = split_reviews(read_reviews(folder / "imdb"), seed)
        raw.reviews = splits.train
        sources.append("film reviews of IMDb (Maas et al. 2011; no licence stated, citation requested)")
    if (folder / "shakespeare").exists():
        raw.speeches = speeches(read_text(_only_text(folder / "shakespeare", ".txt")))
        sources.append("Tiny Shakespeare (Karpathy 2015; public domain)")
    if (folder / "wikitext2").exists():
        raw.articles = articles(read_text(_only_text(folder / "wikitext2", ".tokens")))
        sources.append("WikiText-2, validation part (Merity et al. 2016; CC BY-SA 3.0)")
    if not sources:
        raise InputError(f"{folder} has none of the folders imdb, shakespeare and wikitext2")
    return _parted(raw, tuple(sources), seed)


@dataclass
class _Raw:
    """What was read, before it is parted."""

    reviews: Reviews | None = None
    speeches: list[tuple[str, str]] | None = None
    articles: list[tuple[str, str]] | None = None
    talks: int = dialogues.TALKS


def speeches(text: str) -> list[tuple[str, str]]:
    """Speaker and words of each speech of a play: blocks of lines, the first of which ends in a colon."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        head, _, words = block.strip().partition("\n")
        if head.endswith(":") and words.strip():
            found.append((head[:-1], words.strip()))
    return found


def articles(text: str) -> list[tuple[str, str]]:
    """Title and text of each article of WikiText, in usual spelling.

    Sentences with a word that WikiText has left out are left out themselves, so that nobody learns to write `<unk>`.
    """
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        line = line.strip()
        title = re.fullmatch(r"= ([^=].*[^=]) =", line)
        if title:
            found.append((detokenised(title.group(1)), []))
        elif found and line and not line.startswith("="):
            found[-1][1].append(_known_sentences(line))
    return [(title, "\n".join(part for part in paragraphs if part)) for title, paragraphs in found if any(paragraphs)]


def _known_sentences(paragraph: str) -> str:
    marked = detokenised(paragraph)
    kept = [marked[start:end] for start, end in sentence_spans(marked)]
    return " ".join(sentence for sentence in kept if UNKNOWN not in sentence)


def detokenised(text: str) -> str:
    """WikiText's spaced tokens as they are usually written."""
    text = re.sub(r" @([-,.])@ ", r"\1", text)
    text = re.sub(r" ([,.;:!?%)\]])", r"\1", text)
    text = re.sub(r"([(\[$£]) ", r"\1", text)
    text = re.sub(r" ('(?:s|re|ve|ll|d|m|t)\b|n't\b|')", r"\1", text)
    return re.sub(r'" ([^"]*?) "', r'"\1"', text).strip()


def _only_text(path: Path, suffix: str) -> Path:
    if path.is_file():
        return path
    files = sorted(path.glob(f"*{suffix}"))
    if len(files) != 1:
        raise InputError(f"{path} has {len(files)} files that end in {suffix}; give one")
    return files[0]


def _sample(seed: int) -> _Raw:
    made = make_reviews(SAMPLE_REVIEWS, seed)
    lines = [line.partition(": ") for line in make_text(SAMPLE_LINES, seed)]
    spoken = [(speaker, words.strip()) for speaker, _, words in lines]
    return _Raw(Reviews(made.texts, made.labels), spoken, talks=SAMPLE_TALKS)


def _parted(raw: _Raw, sources: tuple[str, ...], seed: int) -> Texts:
    """Documents and dialogues, cut so that what is tested comes from reviews, scenes and articles never read."""
    parts = [Part({}, []) for _ in range(3)]
    if raw.reviews is not None:
        rows = np.random.default_rng([seed, 1]).permutation(len(raw.reviews))
        for part, some in zip(parts, _split(rows.tolist()), strict=True):
            reviews = raw.reviews.take(np.sort(np.array(some)))
            part.documents["reviews"] = [clean(text) for text in reviews.texts]
            part.dialogues.extend(dialogues.about_films(reviews, seed))
    if raw.speeches is not None:
        for part, scenes in zip(parts, _split(_scenes(raw.speeches)), strict=True):
            part.documents["plays"] = ["\n\n".join(f"{who}:\n{words}" for who, words in scene) for scene in scenes]
            part.dialogues.extend(dialogues.from_plays(scenes, seed))
    if raw.articles is not None:
        for part, some in zip(parts, _split(raw.articles), strict=True):
            part.documents["articles"] = [f"{title}\n\n{text}" for title, text in some]
            part.dialogues.extend(dialogues.from_articles(some, seed))
    parts[0].dialogues.extend(dialogues.small_talk(seed, raw.talks))
    train, validation, test = parts
    return Texts(train, validation, test, sources)


def _split(items: list) -> tuple[list, list, list]:
    """The first for training, those that follow for validation, the last for the test; at least one each."""
    held = max(1, round(HELD_OUT * len(items)))
    if len(items) < 3 * held:
        raise InputError(f"{len(items)} documents are too few to train on and to test")
    return items[: -2 * held], items[-2 * held : -held], items[-held:]


def _scenes(spoken: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Runs of speeches, each about as long as `SCENE`."""
    scenes: list[list[tuple[str, str]]] = [[]]
    length = 0
    for speech in spoken:
        if length >= SCENE:
            scenes.append([])
            length = 0
        scenes[-1].append(speech)
        length += len(speech[1])
    return scenes
