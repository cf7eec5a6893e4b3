"""What the picture model learns to draw, and the words for it; imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thing:
    """One class of pictures.

    Attributes:
        dataset: that the pictures come from.
        label: of the pictures there.
        words: that mean it, the usual one first.
        plural: whether the words take no article, as `trousers`.
    """

    dataset: str
    label: int
    words: tuple[str, ...]
    plural: bool = False

    @property
    def title(self) -> str:
        """The usual way to ask for it."""
        if self.dataset == "mnist":
            return f"the digit {self.words[0]}"
        return self.words[0] if self.plural else with_article(self.words[0])


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_CLOTHES: tuple[tuple[str, ...], ...] = (
    ("t-shirt", "tee", "top"),
    ("trousers", "pants", "jeans"),
    ("pullover", "sweater", "jumper"),
    ("dress", "gown"),
    ("coat", "jacket"),
    ("sandal", "flip-flop"),
    ("shirt", "blouse"),
    ("sneaker", "trainer", "running shoe"),
    ("bag", "handbag", "purse"),
    ("ankle boot", "boot"),
)
_OBJECTS: tuple[tuple[str, ...], ...] = (
    ("airplane", "plane", "aeroplane", "jet"),
    ("automobile", "car"),
    ("bird", "sparrow"),
    ("cat", "kitten"),
    ("deer", "stag"),
    ("dog", "puppy"),
    ("frog", "toad"),
    ("horse", "pony"),
    ("ship", "boat"),
    ("truck", "lorry"),
)

THINGS = (
    *(Thing("mnist", label, (word, str(label))) for label, word in enumerate(_DIGITS)),
    *(Thing("fashion_mnist", label, words, plural=words[0] == "trousers") for label, words in enumerate(_CLOTHES)),
    *(Thing("cifar10", label, words) for label, words in enumerate(_OBJECTS)),
)


def with_article(word: str) -> str:
    """The word after `a` or `an`."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
