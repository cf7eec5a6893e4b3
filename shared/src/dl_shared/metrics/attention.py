"""What attention weights say about a prediction, and whether it is true: rollout, and deletion of what was attended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from dl_shared.metrics.bootstrap import bootstrap_ci

# Shares of the tokens that are deleted, as in DeYoung et al. 2020 (arXiv:1911.03429), section 4.2.
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
NOTHING = 0.001  # a difference between probabilities that is none
RANDOM, REFERENCE = "random", "gradient x input"


def rollout(weights: Float[np.ndarray, "layers heads tokens tokens"]) -> Float[np.ndarray, "tokens tokens"]:
    """How much of each input token reaches each output token, if attention were all that mixes them.

    Attention rollout (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", arXiv:2005.00928, equation
    1): the product over layers of (W + I) / 2, where W is the mean over heads and I stands for the skip connection.

    Args:
        weights: rows are the tokens that look, and sum to 1; columns are looked at. The first layer comes first.
    """
    tokens = weights.shape[-1]
    result = np.eye(tokens)
    for layer in weights.mean(axis=1, dtype=np.float64):
        result = (layer + np.eye(tokens)) / 2 @ result
    return result


def highest(scores: Float[np.ndarray, " tokens"], share: float) -> Int[np.ndarray, " chosen"]:
    """Positions of the highest scores, `share` of all and at least one; of equal ones, the earlier."""
    count = max(1, round(share * len(scores)))
    return np.sort(np.argsort(-scores, kind="stable")[:count])


@dataclass(frozen=True)
class Deletions:
    """By how much the probability of the predicted class fell as tokens were deleted.

    Attributes:
        drops: method -> `(reviews, shares)`; `random` and `gradient x input` are among the methods, the others are
            kinds of attention.
        shares: of the tokens that were deleted.
    """

    drops: Mapping[str, Float[np.ndarray, "reviews shares"]]
    shares: tuple[float, ...] = SHARES

    @property
    def reviews(self) -> int:
        return len(self.drops[RANDOM])

    @property
    def attentions(self) -> list[str]:
        """The kinds of attention that were tested."""
        return [name for name in self.drops if name not in (RANDOM, REFERENCE)]

    def drop(self, method: str) -> tuple[float, float, float]:
        """The mean over shares and reviews (comprehensiveness, DeYoung et al. 2020, section 4.2), and its interval."""
        return _mean_and_interval(self.drops[method].mean(axis=1))

    def difference(self, method: str, other: str) -> tuple[float, float, float]:
        """How much more than `other` a method lowers the probability, over the same reviews, with its interval."""
        return _mean_and_interval((self.drops[method] - self.drops[other]).mean(axis=1))

    @cached_property
    def sentences(self) -> list[str]:
        """What the numbers say about each kind of attention, in words."""
        return [self._sentence(name) for name in self.attentions]

    def summary(self) -> dict[str, object]:
        """All figures, as JSON has them."""
        methods = {}
        for name, drops in self.drops.items():
            mean, low, high = self.drop(name)
            methods[name] = {"drop": mean, "drop_ci": [low, high], "by_share": drops.mean(axis=0).tolist()}
        against = {
            name: {
                other: {"difference": mean, "difference_ci": [low, high]}
                for other in (RANDOM, REFERENCE)
                for mean, low, high in [self.difference(name, other)]
            }
            for name in self.attentions
        }
        return {
            "reviews": self.reviews,
            "shares": list(self.shares),
            "methods": methods,
            "attention_against": against,
            "sentences": self.sentences,
        }

    def _sentence(self, name: str) -> str:
        drop, random, reference = (self.drop(method)[0] for method in (name, RANDOM, REFERENCE))
        beyond, low, high = self.difference(name, RANDOM)
        figures = (
            f"Deleting the tokens that {name} ranks highest lowers the probability of the predicted class by"
            f" {_figure(drop)} on average, deleting random tokens by {_figure(random)}: {_figure(abs(beyond))}"
            f" {'more' if beyond >= 0 else 'less'} (95 % interval {_figure(low, True)} to {_figure(high, True)},"
            f" {self.reviews} reviews). Gradient x input reaches {_figure(reference)}."
        )
        return f"{figures} {self._verdict(name, low, high)}"

    def _verdict(self, name: str, low: float, high: float) -> str:
        if high < -NOTHING:
            return f"So {name} is not faithful: it points away from what decides."
        if low <= NOTHING:
            return f"So these reviews do not show that {name} is more faithful than chance."
        _, worse, better = self.difference(name, REFERENCE)
        if better < 0:
            return f"So {name} is faithful in part: better than chance, and worse than gradient x input."
        if worse > 0:
            return f"So {name} is faithful: better than chance, and better than gradient x input."
        return f"So {name} is faithful: better than chance, and not to be told from gradient x input."


def _mean_and_interval(values: Float[np.ndarray, " reviews"]) -> tuple[float, float, float]:
    return float(values.mean()), *bootstrap_ci(np.mean, values)


def _figure(value: float, signed: bool = False) -> str:
    """Three decimals, and no minus before a zero."""
    return f"{round(value, 3) + 0.0:{'+' if signed else ''}.3f}"


def check_weights(weights: np.ndarray, tokens: Sequence[str]) -> None:
    """Refuse what is no attention of these tokens.

    Raises:
        ValueError: on another shape, or rows that do not sum to 1.
    """
    if weights.ndim != 4 or weights.shape[2:] != (len(tokens), len(tokens)):
        raise ValueError(f"weights of shape {weights.shape} for {len(tokens)} tokens")
    if not np.abs(weights.sum(axis=-1, dtype=np.float64) - 1).max() < 1e-2:
        raise ValueError("attention weights must sum to 1 in each row")
