"""What may vary in the fit of the sentiment classifier; imports nothing heavy."""

from dataclasses import dataclass
from typing import ClassVar

from dl_shared.paths import make_absolute
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, POSITIVE, check

MODULE = "dl_architectures.nlp.training.sentiment"


@dataclass(frozen=True, kw_only=True)
class Config:
    """Options of the fit."""

    changeable: ClassVar[frozenset[str]] = frozenset({"output"})
    """Options that may be others when a run is resumed."""

    data: str = "hub"
    """`sample` (made on the spot), `hub` (the public source), or a path to film reviews with labels."""
    output: str = ""
    """Folder of the model; `model` in the run's folder unless given."""
    seed: int = 0
    """Chooses which reviews are for training, validation and testing."""
    order: int = 2
    """Words in the longest n-gram."""
    bits: int = 20
    """There are 2 to the power of `bits` buckets, of two bytes each."""
    strengths: tuple[float, ...] = (16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
    """Inverse strengths of the penalty on large weights; the one with the least validation loss is taken."""

    def __post_init__(self) -> None:
        make_absolute(self, "output")
        if self.data not in ("sample", "hub"):
            make_absolute(self, "data")
        check(self, NOT_NEGATIVE, "seed")
        check(self, AT_LEAST_1, "order")
        if not 8 <= self.bits <= 24:
            raise ValueError(f"bits must be from 8 to 24, got {self.bits}")
        check(self, POSITIVE, "strengths")


PRESETS = {"full": Config(), "quick": Config(bits=16, strengths=(64.0,))}
