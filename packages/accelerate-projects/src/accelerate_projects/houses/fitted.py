"""Fitted models as plain data, each in one safetensors file; nothing is unpickled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np
import pandas as pd
from jaxtyping import Float

from accelerate_projects.houses.limits import PriceRange
from accelerate_projects.houses.preprocessing import Preprocessor
from dl_shared import checkpoints
from dl_shared.errors import InputError


@dataclass(frozen=True)
class Linear:
    """`features @ weight + bias`."""

    kind: ClassVar[str] = "linear"
    weight: Float[np.ndarray, " columns"]
    bias: float

    def predict(self, features: Float[np.ndarray, "houses columns"]) -> Float[np.ndarray, " houses"]:
        return features @ self.weight + self.bias


@dataclass(frozen=True)
class Kernel:
    """A sum over support vectors: `sum_i dual_i exp(-width |features - support_i|^2) + bias`."""

    kind: ClassVar[str] = "kernel"
    support: Float[np.ndarray, "vectors columns"]
    dual: Float[np.ndarray, " vectors"]
    bias: float
    width: float

    def predict(self, features: Float[np.ndarray, "houses columns"]) -> Float[np.ndarray, " houses"]:
        squares = np.square(features).sum(1)[:, None] + np.square(self.support).sum(1)
        distances = np.maximum(squares - 2 * features @ self.support.T, 0)
        return np.exp(-self.width * distances) @ self.dual + self.bias


@dataclass(frozen=True)
class Trees:
    """Boosted trees, in LightGBM's own text."""

    kind: ClassVar[str] = "trees"
    text: str
    rounds: int
    """How many of the trees are used."""

    def predict(self, features: Float[np.ndarray, "houses columns"]) -> Float[np.ndarray, " houses"]:
        predicted = _parsed(self.text).predict(features, num_iteration=self.rounds, num_threads=1)
        return np.asarray(predicted, np.float64)

    def stages(self, rounds: Sequence[int]) -> list["Trees"]:
        """The models that use so many of the trees."""
        return [replace(self, rounds=count) for count in rounds]


@lru_cache(maxsize=1)  # the stages of one model follow each other
def _parsed(text: str) -> lightgbm.Booster:
    return lightgbm.Booster(model_str=text)


Fitted = Linear | Kernel | Trees
"""Each predicts the log prices of houses from their scaled columns."""

KINDS: dict[str, type[Fitted]] = {kind.kind: kind for kind in (Linear, Kernel, Trees)}


@dataclass(frozen=True)
class Pipeline:
    """A model with the preprocessor of its houses and the limits of its prices."""

    preprocessor: Preprocessor
    model: Fitted
    prices: PriceRange

    def log_prices(self, houses: pd.DataFrame) -> Float[np.ndarray, " houses"]:
        """Predicted log prices of houses in the 79 columns of :class:`dl_shared.data.houses.Houses`."""
        return self.prices.limit(self.model.predict(self.preprocessor.transform(houses)), houses)

    def save(self, path: Path) -> None:
        """Write model, preprocessor and limits as one file."""
        fields = vars(self.model)
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        values = {name: value for name, value in fields.items() if name not in arrays}
        parts = {"preprocessor": vars(self.preprocessor), "prices": vars(self.prices)}
        checkpoints.save(path, {"kind": self.model.kind, "values": values, **parts}, arrays=arrays)

    @classmethod
    def load(cls, path: Path) -> "Pipeline":
        """Read what `save` wrote.

        Raises:
            InputError: if the file is missing, damaged or of another kind.
        """
        parts, kept = checkpoints.load(path)
        arrays: dict[str, Any] = parts.get("arrays", {})
        try:
            model = KINDS[kept["kind"]](**arrays, **kept["values"])
            return cls(Preprocessor.from_json(kept["preprocessor"]), model, PriceRange.from_json(kept["prices"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path} holds no model of house prices ({error})") from None
