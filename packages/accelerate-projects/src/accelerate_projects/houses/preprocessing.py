"""From houses to numbers for a linear model: sizes limited, gaps filled, categories one-hot, columns scaled.

A :class:`Preprocessor` learns all that it needs from the training houses of a fold. It is plain data, kept as JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from accelerate_projects.houses.features import make_features
from dl_shared.data.houses import SIZES

FEWEST = 5  # houses that a category needs, and houses outside it: fewer say little about the category
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Preprocessor:
    """What was learned from the training houses."""

    groups: tuple[str, ...]
    """Of columns, see `features.GROUPS`."""
    limits: dict[str, float]
    """The largest value of each size; larger ones are cut, lest a few giants decide what a square foot is worth."""
    medians: dict[str, float]
    """Of each column of numbers, in place of values that were not recorded."""
    incomplete: tuple[str, ...]
    """Columns of numbers with values not recorded; each gets a second column that marks them."""
    categories: dict[str, tuple[str, ...]]
    """For each column of text the values that get a column of their own; other values have 0 in all of them."""
    center: dict[str, float]
    """Mean of each resulting column."""
    scale: dict[str, float]
    """Standard deviation of each resulting column."""

    @classmethod
    def fit(cls, houses: pd.DataFrame, groups: Sequence[str], trim: float = 0.0) -> "Preprocessor":
        """Learn from the training houses.

        Args:
            houses: the 79 columns of :class:`dl_shared.data.houses.Houses`; empty ones are left out.
            groups: of columns to make.
            trim: the share of the houses, the largest, whose sizes are cut to that of the largest of the others.
        """
        limits = houses[list(SIZES)].quantile(1 - trim).dropna().to_dict() if trim else {}
        made = make_features(_limited(houses, limits), groups)
        texts = [name for name in made if not pd.api.types.is_numeric_dtype(made[name])]
        numbers = made.drop(columns=texts)
        numbers = numbers.loc[:, numbers.notna().any()]
        categories = {}
        for name in texts:
            counts = _words(made[name]).value_counts()
            kept = counts[(counts >= FEWEST) & (counts <= len(made) - FEWEST)]
            categories[name] = tuple(sorted(kept.index))
        unscaled = cls(
            groups=tuple(groups),
            limits=limits,
            medians=numbers.median().to_dict(),
            incomplete=tuple(numbers.columns[numbers.isna().any()]),
            categories=categories,
            center={},
            scale={},
        )
        columns = unscaled._columns(houses)
        spread = columns.std(ddof=0)
        columns, spread = columns.loc[:, spread > 0], spread[spread > 0]
        return replace(unscaled, center=columns.mean().to_dict(), scale=spread.to_dict())

    def transform(self, houses: pd.DataFrame) -> Float[np.ndarray, "houses columns"]:
        """Columns of mean 0 and standard deviation 1 on the training houses, in the order of `names`."""
        columns = self._columns(houses)[self.names]
        return ((columns - pd.Series(self.center)) / pd.Series(self.scale)).to_numpy(np.float64)

    @property
    def names(self) -> list[str]:
        """Names of the resulting columns."""
        return list(self.center)

    def _columns(self, houses: pd.DataFrame) -> pd.DataFrame:
        made = make_features(_limited(houses, self.limits), self.groups)
        numbers = made.reindex(columns=list(self.medians))
        parts = [
            numbers.fillna(self.medians),
            numbers[list(self.incomplete)].isna().astype(np.float64).add_suffix(f" {NOT_RECORDED}"),
        ]
        for name, values in self.categories.items():
            words = _words(made[name])
            parts.append(pd.DataFrame({f"{name} {value}": (words == value).astype(np.float64) for value in values}))
        return pd.concat(parts, axis=1)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessor":
        """From JSON of `vars(preprocessor)`.

        Raises:
            AttributeError, KeyError, TypeError: if the values are something else.
        """
        categories = {name: tuple(kept) for name, kept in values["categories"].items()}
        groups, incomplete = tuple(values["groups"]), tuple(values["incomplete"])
        return cls(**{**values, "groups": groups, "incomplete": incomplete, "categories": categories})


def _limited(houses: pd.DataFrame, limits: dict[str, float]) -> pd.DataFrame:
    return houses.assign(**{name: houses[name].clip(upper=limit) for name, limit in limits.items()})


def _words(column: pd.Series) -> pd.Series:
    return column.fillna(NOT_RECORDED).astype(str)
