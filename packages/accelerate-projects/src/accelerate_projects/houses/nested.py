"""Nested cross-validation (Stone 1974; Varma and Simon 2006): outer folds score what inner folds have chosen.

Nothing of the houses held out by an outer fold is used before they are scored: limits, medians and scales, options and
columns, and the weights of the blend all come from the other houses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls
from sklearn.model_selection import KFold

from accelerate_projects.houses.families import Family, Options
from accelerate_projects.houses.limits import PriceRange, within
from accelerate_projects.houses.preprocessing import Preprocessor
from dl_shared.data.houses import Houses

MARGINS = (0.0, 0.05, 0.1, 0.2, None)
"""Margins among which inner folds choose, see :class:`PriceRange`."""


@dataclass(frozen=True)
class Split:
    """Houses to fit on and houses held out, by their row."""

    fit: Int[np.ndarray, " fit"]
    held: Int[np.ndarray, " held"]


def split_rows(rows: Int[np.ndarray, " rows"], folds: int, seed: int) -> list[Split]:
    """Each row is held out once."""
    return [Split(rows[fit], rows[held]) for fit, held in KFold(folds, shuffle=True, random_state=seed).split(rows)]


@dataclass
class Training:
    """Houses to choose and fit on. What has been prepared for one family is kept for the others.

    Args:
        houses: with prices; all of them are trained on.
        folds: number of inner folds.
        seed: of the inner folds.
        feature_sets: groups of columns by the name of the set.
        trim: see :class:`Preprocessor`.
    """

    houses: Houses
    folds: int
    seed: int
    feature_sets: Mapping[str, tuple[str, ...]]
    trim: float
    _prepared: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @cached_property
    def log_prices(self) -> Float[np.ndarray, " houses"]:
        """Of all houses."""
        assert self.houses.prices is not None
        return np.log(self.houses.prices)

    @cached_property
    def splits(self) -> list[Split]:
        """The inner folds."""
        return split_rows(np.arange(len(self.houses)), self.folds, self.seed)

    def prepared(self, feature_set: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        """The prepared columns of an inner fold: of the houses to fit on, and of those held out."""
        key = (feature_set, number)
        if key not in self._prepared:
            split, features = self.splits[number], self.houses.features
            preprocessor = Preprocessor.fit(features.iloc[split.fit], self.feature_sets[feature_set], self.trim)
            self._prepared[key] = (
                preprocessor.transform(features.iloc[split.fit]),
                preprocessor.transform(features.iloc[split.held]),
            )
        return self._prepared[key]

    @cached_property
    def ends(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each inner fold the limits of the log prices of the houses that it holds out, see `PriceRange.ends`."""
        features = self.houses.features
        return [
            PriceRange.fit(features.iloc[split.fit], self.log_prices[split.fit], None).ends(features.iloc[split.held])
            for split in self.splits
        ]


@dataclass(frozen=True)
class Choice:
    """What the inner folds chose for a family."""

    feature_set: str
    options: Options
    margin: float | None
    rmse_log: float
    """Over the houses held out by inner folds; optimistic, as it is the smallest of many."""
    inner: Float[np.ndarray, " houses"]
    """Log prices of these houses, each predicted by a model that did not see the house."""


def choose(family: Family, training: Training) -> Choice:
    """Try every set of columns, combination of options and margin, and choose the smallest squared error."""
    best: Choice | None = None
    for feature_set in training.feature_sets:
        inner = np.empty((len(family.options), len(MARGINS), len(training.houses)))
        for number, split in enumerate(training.splits):
            columns, held = training.prepared(feature_set, number)
            for row, predicted in enumerate(family.on_grid(columns, training.log_prices[split.fit], held)):
                for column, margin in enumerate(MARGINS):
                    inner[row, column, split.held] = within(predicted, *training.ends[number], margin)
        scores = np.sqrt(np.square(inner - training.log_prices).mean(axis=-1))
        row, column = np.unravel_index(scores.argmin(), scores.shape)
        if best is None or scores[row, column] < best.rmse_log:
            score = float(scores[row, column])
            best = Choice(feature_set, family.options[row], MARGINS[column], score, inner[row, column])
    assert best is not None, "there is no comparison without columns"
    return best


def blend_weights(
    inner: Float[np.ndarray, "models houses"], log_prices: Float[np.ndarray, " houses"]
) -> Float[np.ndarray, " models"]:
    """The weights, none negative and 1 in sum, whose mean of models has the smallest squared error (Breiman 1996).

    Args:
        inner: log prices, predicted for houses held out.
        log_prices: of those houses.
    """
    # An additional row asks for a sum of 1; it is so heavy that the solver meets it.
    errors = inner - log_prices
    heavy = 1e4 * np.abs(errors).max()
    weights, _ = nnls(np.vstack([errors.T, np.full(len(inner), heavy)]), np.append(np.zeros(len(log_prices)), heavy))
    return weights / weights.sum()
