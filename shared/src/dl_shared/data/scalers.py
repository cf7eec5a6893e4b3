"""Standardisation, fitted on the training part alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Scaler:
    """Per-feature mean and deviation.

    `(values - mean) / deviation`, clipped at `limit` deviations: returns have fat tails, and one crash should not
    dominate a batch. The inverse undoes all but the clipping.

    Attributes:
        mean: of the training rows.
        deviation: of the training rows; 1 for a feature that never changes.
        limit: largest scaled magnitude.
    """

    mean: Float[np.ndarray, " features"]
    deviation: Float[np.ndarray, " features"]
    limit: float = 10.0

    @classmethod
    def fit(cls, rows: Float[np.ndarray, "rows features"], *, limit: float = 10.0) -> "Scaler":
        """Mean and deviation of the training rows (never pass others)."""
        rows = rows.astype(np.float64)
        deviation = rows.std(axis=0)
        constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(rows).max(axis=0))
        return cls(rows.mean(axis=0), np.where(constant, 1.0, deviation), limit)

    def transform(self, values: Float[np.ndarray, "*batch features"]) -> Float[np.ndarray, "*batch features"]:
        return np.clip((values - self.mean) / self.deviation, -self.limit, self.limit)

    def inverse(self, values: Float[np.ndarray, "*batch features"]) -> Float[np.ndarray, "*batch features"]:
        return values * self.deviation + self.mean

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, to be kept beside a model's weights."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist(), "limit": self.limit}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Scaler":
        return cls(np.array(value["mean"], float), np.array(value["deviation"], float), float(value["limit"]))
