"""Where the randomness of an input comes from: all of it follows from a format's name and the input's number."""

import random
from functools import lru_cache
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

BLOCK = 100  # examples that hypothesis draws at once; what it draws depends on those before

# Hypothesis draws now and then from the constants of whatever modules are imported. An input must not depend on them.
providers._get_local_constants = lambda: providers.Constants()


class Source:
    """Draws for one input."""

    def __init__(self, name: str, number: int) -> None:
        self.rng = random.Random(f"{name} {number}")  # noqa: S311 (no secret)
        self._name, self._number = name, number

    def draw(self, strategy: SearchStrategy) -> Any:
        """An example of a strategy. Keep the strategy in a constant; drawn twice for an input, it gives the same."""
        block, place = divmod(self._number, BLOCK)
        examples = _block(strategy, f"{self._name} {block}")
        return examples[place % len(examples)]


@lru_cache(maxsize=8)
def _block(strategy: SearchStrategy, name: str) -> list[Any]:
    found: list[Any] = []

    @hypothesis.seed(random.Random(name).getrandbits(64))  # noqa: S311
    @settings(
        max_examples=BLOCK,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(example: Any) -> None:
        found.append(example)

    collect()
    return found
