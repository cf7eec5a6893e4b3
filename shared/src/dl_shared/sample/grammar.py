"""Text from a probabilistic grammar whose entropy per character is known exactly.

Every line is a speaker and a sentence, such as

    DUNCAN: the crow whom the foxes fondly hunt loudly sings in rain

in which each noun decides its verb and the verb's number, across any depth of nested clauses, and the speaker decides
the adverbs and the closing words. What decides a word therefore stands far from it: an n-gram model has to guess where
a model with a memory knows.

The grammar is *simple* in the sense of Korenjak and Hopcroft (1966): each rule begins with a terminal, and no two first
terminals of one nonterminal begin alike. At every point of a text at most one rule applies, so a line has at most one
derivation, and the entropy of derivations is the entropy of lines. :class:`Grammar` checks this when it is made.

On 8,000 lines an 8-gram model is left at 0.351 nats per character, where the grammar itself needs 0.156
(`python benchmarks/text_and_tables.py`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np

START = "LINE"
SPEAKERS = ("ALDA", "BENNO", "CORIN", "DUNCAN", "EDITH", "FABIAN", "GRETA", "HELENA")
NOUNS = (
    ("fox", "foxes"), ("crow", "crows"), ("king", "kings"), ("maid", "maids"),
    ("wolf", "wolves"), ("monk", "monks"), ("ghost", "ghosts"), ("thief", "thieves"),
)  # fmt: skip
VERBS = ("hunt", "sing", "rule", "dance", "howl", "pray", "haunt", "steal")  # verb i belongs to noun i
ADVERBS = (  # two for each speaker
    ("boldly", "idly"), ("calmly", "justly"), ("dimly", "kindly"), ("fondly", "loudly"),
    ("grimly", "meekly"), ("humbly", "nobly"), ("oddly", "rudely"), ("proudly", "slyly"),
)  # fmt: skip
CLOSINGS = ("at dawn", "by night", "for gold", "in rain", "near rome", "on hills", "past noon", "till dusk")
NESTING = 0.25  # chance that a noun is followed by a clause of its own, at every depth


@dataclass(frozen=True)
class Rule:
    """One way to expand a nonterminal."""

    probability: float
    terminal: str
    """The text the rule begins with; never empty."""
    then: tuple[str, ...] = ()
    """The nonterminals that follow."""


class Grammar:
    """A simple (deterministic) probabilistic context-free grammar over characters.

    Args:
        rules: the rules of each nonterminal; lines are expansions of `LINE`.

    Raises:
        ValueError: if the grammar is not simple, probabilities do not sum to one, a nonterminal has no rules, or
            lines have no finite expected length.
    """

    def __init__(self, rules: Mapping[str, Sequence[Rule]]) -> None:
        self.rules = {name: tuple(options) for name, options in rules.items()}
        for name, options in self.rules.items():
            if not math.isclose(sum(rule.probability for rule in options), 1):
                raise ValueError(f"the probabilities of {name} do not sum to one")
            if missing := {part for rule in options for part in rule.then} - self.rules.keys():
                raise ValueError(f"{name} leads to {', '.join(sorted(missing))}, which has no rules")
            if not all(rule.terminal for rule in options):
                raise ValueError(f"a rule of {name} begins with no text")
            for one, other in combinations((rule.terminal for rule in options), 2):
                if one.startswith(other) or other.startswith(one):
                    raise ValueError(f"two rules of {name} begin alike: {one!r} and {other!r}")
        self._drawing = {name: np.cumsum([rule.probability for rule in options]) for name, options in rules.items()}
        self.characters_per_line, self.nats_per_line = self._expectations()

    @property
    def entropy(self) -> float:
        """Nats per character of endless text, line after line: entropy of a line / its expected length."""
        return self.nats_per_line / self.characters_per_line

    def _expectations(self) -> tuple[float, float]:
        """Expected length and entropy of a line.

        Both are sums over the rules used in a derivation (Grenander 1976), so with M the expected number of times that
        nonterminal i calls nonterminal j, they solve (I - M) x = own, where own is what the rule itself adds.
        """
        names = list(self.rules)
        number = {name: i for i, name in enumerate(names)}
        calls, own = np.zeros((len(names), len(names))), np.zeros((len(names), 2))
        for name, options in self.rules.items():
            for rule in options:
                own[number[name]] += rule.probability * np.array([len(rule.terminal), -math.log(rule.probability)])
                for part in rule.then:
                    calls[number[name], number[part]] += rule.probability
        if np.abs(np.linalg.eigvals(calls)).max() >= 1:
            raise ValueError("the expected length of a line is not finite")
        length, nats = np.linalg.solve(np.eye(len(names)) - calls, own)[number[START]]
        return float(length), float(nats)

    def draw(self, rng: np.random.Generator) -> str:
        """One line, its end included."""
        pending, pieces = [START], []
        while pending:
            name = pending.pop()
            rule = self.rules[name][int(np.searchsorted(self._drawing[name], rng.random() * self._drawing[name][-1]))]
            pieces.append(rule.terminal)
            pending.extend(reversed(rule.then))
        return "".join(pieces)

    def nats(self, line: str) -> float:
        """Minus the log probability of a line, its end included; infinite when the grammar does not accept it."""
        pending, at, total = [START], 0, 0.0
        while pending:
            rule = next((rule for rule in self.rules[pending.pop()] if line.startswith(rule.terminal, at)), None)
            if rule is None:
                return math.inf
            at += len(rule.terminal)
            total -= math.log(rule.probability)
            pending.extend(reversed(rule.then))
        return total if at == len(line) else math.inf

    def accepts(self, line: str) -> bool:
        """Whether the grammar can write this line; a missing line end is forgiven."""
        return math.isfinite(self.nats(line if line.endswith("\n") else line + "\n"))


@cache
def dialogue() -> Grammar:
    """The grammar of the sample text."""
    rules: dict[str, list[Rule]] = {START: []}
    for s, speaker in enumerate(SPEAKERS):
        rules[START].append(Rule(1 / len(SPEAKERS), f"{speaker}: the ", (f"NOUN {s}", f"CLOSING {s}")))
        rules[f"NOUN {s}"] = [
            Rule(1 / (2 * len(NOUNS)), f"{noun} ", (f"AFTER {s} {n} {number}",))
            for n, forms in enumerate(NOUNS)
            for number, noun in enumerate(forms)
        ]
        rules[f"ADVERB {s}"] = [Rule(1 / 2, f"{adverb} ") for adverb in ADVERBS[s]]
        rules[f"CLOSING {s}"] = [Rule(1.0, f"{CLOSINGS[s]}\n")]
        for n in range(len(NOUNS)):
            for number in range(2):
                verb = f"VERB {n} {number}"
                rules[f"AFTER {s} {n} {number}"] = [
                    *(Rule((1 - NESTING) / 2, f"{adverb} ", (verb,)) for adverb in ADVERBS[s]),
                    Rule(NESTING, "whom the ", (f"NOUN {s}", f"ADVERB {s}", verb)),
                ]
    for n, verb in enumerate(VERBS):
        for number, ending in enumerate(("s", "")):
            rules[f"VERB {n} {number}"] = [Rule(1.0, f"{verb}{ending} ")]
    return Grammar(rules)


def make_text(lines: int, seed: int) -> list[str]:
    """Lines of the sample grammar, each ending in `\\n`; deterministic in the seed.

    Raises:
        ValueError: if the number of lines is not positive.
    """
    if lines < 1:
        raise ValueError(f"need at least one line, got {lines}")
    rng = np.random.default_rng(seed)
    grammar = dialogue()
    return [grammar.draw(rng) for _ in range(lines)]
