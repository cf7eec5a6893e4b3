"""What a model is told about a house: columns made from Kaggle's 79, in groups that can be switched.

Each group is a function of one row alone, so that nothing of other houses, held-out ones least of all, gets into it.
NaN is what was not recorded; what does not exist is an amount of 0, the lowest grade, or a category of its own.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from dl_shared.data.houses import NOMINAL, NUMERIC, ORDERED, SIZES

NUMBERS = tuple(name for name in NUMERIC if name not in SIZES)
PORCHES = ["OpenPorchSF", "EnclosedPorch", "3SsnPorch", "ScreenPorch", "WoodDeckSF"]


def sizes(houses: pd.DataFrame) -> pd.DataFrame:
    """Areas and lengths, as logarithms: what counts about them is their proportion."""
    return np.log1p(houses[list(SIZES)]).add_prefix("log ")


def numbers(houses: pd.DataFrame) -> pd.DataFrame:
    """Counts, years and ratings. A garage that is not there is as old as its house."""
    numbers = houses[list(NUMBERS)].copy()
    # Kaggle's test.csv has a garage of the year 2207.
    numbers["GarageYrBlt"] = numbers["GarageYrBlt"].fillna(numbers["YearBuilt"]).clip(upper=numbers["YrSold"])
    numbers["MiscVal"] = np.log1p(numbers["MiscVal"])
    return numbers


def grades(houses: pd.DataFrame) -> pd.DataFrame:
    """Categories that have an order, as steps from the worst."""
    steps = {name: {grade: step for step, grade in enumerate(order)} for name, order in ORDERED.items()}
    return (
        pd.DataFrame({name: houses[name].map(step) for name, step in steps.items()})
        .astype(np.float64)
        .add_suffix(" step")
    )


def kinds(houses: pd.DataFrame) -> pd.DataFrame:
    """Categories that have none; the only columns of text."""
    return houses[list(NOMINAL)]


def totals(houses: pd.DataFrame) -> pd.DataFrame:
    """Sums and proportions of sizes."""
    living, basement = houses["GrLivArea"], houses["TotalBsmtSF"]
    return pd.DataFrame(
        {
            "log total area": np.log(living + basement),
            "baths": houses["FullBath"] + houses["BsmtFullBath"] + (houses["HalfBath"] + houses["BsmtHalfBath"]) / 2,
            "log porches": np.log1p(houses[PORCHES].sum(axis=1)),
            "log finished basement": np.log1p(houses["BsmtFinSF1"] + houses["BsmtFinSF2"]),
            "finished share of basement": 1 - houses["BsmtUnfSF"] / basement.clip(lower=1),
            "log lot per living area": np.log(houses["LotArea"] / living),
            "log room size": np.log(living / houses["TotRmsAbvGrd"].clip(lower=1)),
        }
    )


def ages(houses: pd.DataFrame) -> pd.DataFrame:
    """Years from building and remodelling to the sale; their square roots, because the first years count most."""
    built = (houses["YrSold"] - houses["YearBuilt"]).clip(lower=0)
    remodelled = (houses["YrSold"] - houses["YearRemodAdd"]).clip(lower=0)
    return pd.DataFrame(
        {
            "age": built,
            "root of age": np.sqrt(built),
            "years since remodelling": remodelled,
            "root of years since remodelling": np.sqrt(remodelled),
            "was remodelled": (houses["YearBuilt"] != houses["YearRemodAdd"]).astype(np.float64),
            "is new": (built == 0).astype(np.float64),
        }
    )


def presence(houses: pd.DataFrame) -> pd.DataFrame:
    """Whether there is such a thing at all: having a pool is not the first square foot of it."""
    things = ["2ndFlrSF", "MasVnrArea", "Fireplaces", "GarageArea", "TotalBsmtSF", "WoodDeckSF", "PoolArea",
              "OpenPorchSF", "BsmtFinSF1"]  # fmt: skip
    return (houses[things] > 0).astype(np.float64).add_prefix("has ")


def season(houses: pd.DataFrame) -> pd.DataFrame:
    """The month of the sale as a point on a circle, for December is next to January."""
    angle = 2 * np.pi * houses["MoSold"] / 12
    return pd.DataFrame({"sine of month": np.sin(angle), "cosine of month": np.cos(angle)})


def products(houses: pd.DataFrame) -> pd.DataFrame:
    """Squares and products of what matters most. A house sold before it is finished is priced by other rules."""
    quality, condition = houses["OverallQual"] - 6, houses["OverallCond"] - 5
    living = np.log(houses["GrLivArea"] / 1500)
    age = (houses["YrSold"] - houses["YearBuilt"]).clip(lower=0) / 50
    partial = (houses["SaleCondition"] == "Partial").astype(np.float64)
    return pd.DataFrame(
        {
            "quality squared": quality**2,
            "condition squared": condition**2,
            "age squared": age**2,
            "quality by condition": quality * condition,
            "quality by living area": quality * living,
            "quality by age": quality * age,
            "unfinished by living area": partial * living,
            "unfinished by quality": partial * quality,
        }
    )


def places(houses: pd.DataFrame) -> pd.DataFrame:
    """Age in each neighbourhood: there are those where old houses are prized."""
    age = (houses["YrSold"] - houses["YearBuilt"]).clip(lower=0) / 50
    where = pd.get_dummies(houses["Neighborhood"]).astype(np.float64)
    return pd.concat(
        [where.mul(age, axis=0).add_suffix(" by age"), where.mul(age**2, axis=0).add_suffix(" by age squared")], axis=1
    )


GROUPS: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    group.__name__: group for group in (sizes, numbers, grades, kinds, totals, ages, presence, season, products, places)
}


def make_features(houses: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """The columns of some groups, side by side.

    Args:
        houses: the 79 columns of :class:`dl_shared.data.houses.Houses`.
        groups: names in `GROUPS`.
    """
    return pd.concat([GROUPS[name](houses) for name in groups], axis=1)
