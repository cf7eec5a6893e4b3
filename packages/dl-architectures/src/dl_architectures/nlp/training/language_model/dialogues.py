"""Conversations for a model that has none to learn from: made of reviews, of plays, of articles, and of small talk.

None of them was ever held. They teach the form (whose turn it is, and that a turn ends), and which kind of text a
question calls for; the assistant's words are those of the sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dl_shared.data.reviews import Reviews
from dl_shared.data.sentences import sentence_spans

LONGEST_TURN = 350  # characters
MOST_TURNS = 6  # of a play
SYSTEM_SHARE = 0.4  # of the conversations are told what the assistant is


@dataclass(frozen=True)
class Dialogue:
    """A conversation; turns are the user's and the assistant's by turns, the user's first."""

    system: str
    """May be empty."""
    turns: tuple[str, ...]

    @property
    def messages(self) -> list[dict[str, str]]:
        """As chat templates take them."""
        head = [{"role": "system", "content": self.system}] if self.system else []
        roles = ("user", "assistant")
        return head + [{"role": roles[i % 2], "content": turn} for i, turn in enumerate(self.turns)]


CRITIC = ("You talk about films.", "You are a film critic.", "You write reviews of films.")
PLAYER = ("You speak like a character of Shakespeare.", "You are an actor in a play.", "Speak as in an old play.")
SCHOLAR = ("You write for an encyclopedia.", "You explain things.", "You are a helpful assistant who knows facts.")
ASK_GOOD = (
    "Tell me about a film that you liked.", "What is a good film?", "Did you like the film?", "Recommend a movie.",
    "Write a good review of a film.", "Which movie should I watch?", "Say something nice about a film.",
)  # fmt: skip
ASK_BAD = (
    "Tell me about a film that you did not like.", "What is a bad film?", "Was the film bad?", "Which movie is awful?",
    "Write a bad review of a film.", "Which movie should I not watch?", "What did you hate about the movie?",
)  # fmt: skip
ASK_ANY = ("What did you think of the film?", "Write a review.", "Tell me about a movie.", "How was the movie?")
ASK_ABOUT = ("Tell me about {}.", "What do you know about {}?", "What is {}?", "Explain {}.", "{}")
TALK = (
    (("Hello", "Hello!", "Hi", "Hi!", "Hey", "Good morning", "Good evening", "Hi there", "hello", "hi"),
     ("Hello! What shall we talk about?", "Hi! Ask me about a film, if you like.", "Hello. How are you?")),
    (("How are you?", "How are you today?", "how are you", "How do you do?", "What's up?"),
     ("I am well, thank you. And you?", "Fine, thank you. Shall we talk about a film?")),
    (("Who are you?", "What are you?", "What is your name?", "Are you a robot?", "Are you human?", "About you?"),
     ("I am a very small language model. I have read film reviews, plays and a few articles.",
      "I am a small program that writes text. I know little, and I make things up.")),
    (("What can you do?", "Can you help me?", "Help", "What do you know?", "Help me."),
     ("I can talk about films, speak like a character of Shakespeare, and make mistakes.",
      "Not much: I am very small. Ask me about a film.")),
    (("Thank you", "Thanks", "Thank you!", "Thanks a lot!", "thanks"), ("You are welcome.", "You are welcome!")),
    (("Goodbye", "Bye", "Bye!", "See you", "Good night", "bye"), ("Goodbye!", "Goodbye. Come again!")),
    (("I am fine.", "I am well.", "Good, thanks.", "Fine."), ("That is good to hear. Shall we talk about a film?",)),
    (("Tell me a joke.", "Do you know a joke?", "Make me laugh."),
     ("I am too small for jokes. But I can tell you about a comedy.",)),
)  # fmt: skip
TALKS = 2500  # short conversations made of these


def about_films(reviews: Reviews, seed: int) -> list[Dialogue]:
    """A question for a film, which a review answers with its first sentences; praise where praise was asked for."""
    rng = np.random.default_rng([seed, 2])
    made = []
    for text, label in zip(reviews.texts, reviews.labels.tolist(), strict=True):
        answer = beginning(text)
        if answer:
            question = _one(rng, ASK_ANY if rng.random() < 0.3 else ASK_GOOD if label else ASK_BAD)
            made.append(Dialogue(_system(rng, CRITIC), (question, answer)))
    return made


def from_plays(scenes: Sequence[Sequence[tuple[str, str]]], seed: int) -> list[Dialogue]:
    """Speeches that follow each other, as turns of two; a speech that is too long ends the conversation."""
    rng = np.random.default_rng([seed, 3])
    made = []
    for scene in scenes:
        turns: list[str] = []
        for _, words in [*scene, ("", "")]:
            line = " ".join(words.split())
            if line and len(line) <= LONGEST_TURN:
                turns.append(line)
            if (not line or len(line) > LONGEST_TURN or len(turns) == MOST_TURNS) and turns:
                if len(turns) >= 2:
                    made.append(Dialogue(_system(rng, PLAYER), tuple(turns[: len(turns) // 2 * 2])))
                turns = []
    return made


def from_articles(articles: Sequence[tuple[str, str]], seed: int) -> list[Dialogue]:
    """A question about the title, answered by how the article begins."""
    rng = np.random.default_rng([seed, 4])
    made = []
    for title, text in articles:
        answer = beginning(text)
        if answer:
            made.append(Dialogue(_system(rng, SCHOLAR), (_one(rng, ASK_ABOUT).format(title), answer)))
    return made


def small_talk(seed: int, count: int) -> list[Dialogue]:
    """Greetings and thanks, one to three exchanges in a row."""
    rng = np.random.default_rng([seed, 5])
    made = []
    for _ in range(count):
        turns: list[str] = []
        for topic in rng.permutation(len(TALK))[: rng.integers(1, 4)]:
            questions, answers = TALK[topic]
            turns += [_one(rng, questions), _one(rng, answers)]
        made.append(Dialogue(_system(rng, CRITIC + PLAYER + SCHOLAR), tuple(turns)))
    return made


def beginning(text: str) -> str:
    """The first sentences of a text, as many as make a turn; empty where the first is too long for one."""
    end = 0
    for _, end_of_sentence in sentence_spans(text[: 2 * LONGEST_TURN]):
        if end_of_sentence > LONGEST_TURN:
            break
        end = end_of_sentence
    return " ".join(text[:end].split())


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _system(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return _one(rng, choices) if rng.random() < SYSTEM_SHARE else ""
