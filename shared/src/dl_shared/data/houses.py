"""House prices in the columns of Kaggle's "House Prices: Advanced Regression Techniques" (De Cock 2011).

In these files `NA` has two meanings, and the description that comes with them says which: no garage is not a missing
garage. What does not exist becomes the category `absent`; what was not recorded stays missing (NaN). The files
contradict themselves in a few rows (`NA` for the exposure of a basement that has a size): there the value is missing.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dl_shared.data.cells import read_cells
from dl_shared.errors import InputError, few
from dl_shared.files import fingerprint

ID, PRICE = "Id", "SalePrice"
ABSENT = "absent"

# Columns in which NA means that the thing is not there, and the amount that tells whether it is.
NA_MEANS_ABSENT: dict[str, str | None] = {
    "Alley": None,
    "BsmtQual": "TotalBsmtSF",
    "BsmtCond": "TotalBsmtSF",
    "BsmtExposure": "TotalBsmtSF",
    "BsmtFinType1": "TotalBsmtSF",
    "BsmtFinType2": "TotalBsmtSF",
    "FireplaceQu": "Fireplaces",
    "GarageType": "GarageArea",
    "GarageFinish": "GarageArea",
    "GarageQual": "GarageArea",
    "GarageCond": "GarageArea",
    "PoolQC": "PoolArea",
    "Fence": None,
    "MiscFeature": "MiscVal",
}

QUALITY = (ABSENT, "Po", "Fa", "TA", "Gd", "Ex")
_FINISH = (ABSENT, "Unf", "LwQ", "Rec", "BLQ", "ALQ", "GLQ")

# Categories whose values have an order, from worst to best.
ORDERED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("ExterQual", "ExterCond", "HeatingQC", "KitchenQual"), QUALITY[1:]),
    **dict.fromkeys(("BsmtQual", "BsmtCond", "FireplaceQu", "GarageQual", "GarageCond", "PoolQC"), QUALITY),
    "BsmtExposure": (ABSENT, "No", "Mn", "Av", "Gd"),
    "BsmtFinType1": _FINISH,
    "BsmtFinType2": _FINISH,
    "Functional": ("Sal", "Sev", "Maj2", "Maj1", "Mod", "Min2", "Min1", "Typ"),
    "GarageFinish": (ABSENT, "Unf", "RFn", "Fin"),
    "LandSlope": ("Sev", "Mod", "Gtl"),
    "LotShape": ("IR3", "IR2", "IR1", "Reg"),
    "PavedDrive": ("N", "P", "Y"),
}

NOMINAL = (
    "MSSubClass", "MSZoning", "Street", "Alley", "LandContour", "Utilities", "LotConfig", "Neighborhood", "Condition1",
    "Condition2", "BldgType", "HouseStyle", "RoofStyle", "RoofMatl", "Exterior1st", "Exterior2nd", "MasVnrType",
    "Foundation", "Heating", "CentralAir", "Electrical", "GarageType", "Fence", "MiscFeature", "SaleType",
    "SaleCondition",
)  # fmt: skip

NUMERIC = (
    "LotFrontage", "LotArea", "OverallQual", "OverallCond", "YearBuilt", "YearRemodAdd", "MasVnrArea", "BsmtFinSF1",
    "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "1stFlrSF", "2ndFlrSF", "LowQualFinSF", "GrLivArea", "BsmtFullBath",
    "BsmtHalfBath", "FullBath", "HalfBath", "BedroomAbvGr", "KitchenAbvGr", "TotRmsAbvGrd", "Fireplaces",
    "GarageYrBlt", "GarageCars", "GarageArea", "WoodDeckSF", "OpenPorchSF", "EnclosedPorch", "3SsnPorch",
    "ScreenPorch", "PoolArea", "MiscVal", "MoSold", "YrSold",
)  # fmt: skip

# Areas and lengths, in square feet and feet: what counts about them is their proportion.
SIZES = (
    "LotFrontage", "LotArea", "MasVnrArea", "BsmtFinSF1", "BsmtFinSF2", "BsmtUnfSF", "TotalBsmtSF", "1stFlrSF",
    "2ndFlrSF", "LowQualFinSF", "GrLivArea", "GarageArea", "WoodDeckSF", "OpenPorchSF", "EnclosedPorch", "3SsnPorch",
    "ScreenPorch", "PoolArea",
)  # fmt: skip

CATEGORICAL = (*NOMINAL, *ORDERED)

KAGGLE = (
    "the houses come from a Kaggle competition and need a login: download train.csv from"
    " kaggle.com/c/house-prices-advanced-regression-techniques and give its path as --data, or use --data sample"
)


@dataclass(frozen=True)
class Houses:
    """Rows of houses."""

    features: pd.DataFrame
    """The 79 columns: `NUMERIC` as float64, `CATEGORICAL` as text; NaN is what was not recorded."""
    ids: Int[np.ndarray, " houses"]
    prices: Float[np.ndarray, " houses"] | None
    """In dollars; None in a file to predict."""

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Int[np.ndarray, " some"]) -> "Houses":
        """Some of the houses, in the order given."""
        prices = None if self.prices is None else self.prices[rows]
        return Houses(self.features.iloc[rows].reset_index(drop=True), self.ids[rows], prices)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every cell and price."""
        numbers = self.features[list(NUMERIC)].to_numpy(np.float64)
        words = self.features[list(CATEGORICAL)].fillna("").to_numpy(object).ravel().tolist()
        return fingerprint(numbers, words, self.ids, np.zeros(0) if self.prices is None else self.prices)


def read_houses(path: Path, *, priced: bool = True) -> Houses:
    """Read Kaggle's `train.csv` (or a folder that holds it), or with `priced=False` a file of houses to predict.

    Raises:
        InputError: if the file is missing or no such table, lacks a column, or holds a value that cannot be used.
    """
    if path.is_dir():
        path = path / "train.csv"
    # Only `NA` and nothing are missing, so that `None` (no masonry veneer) stays a category.
    needed = "give Kaggle's train.csv or the folder that holds it"
    return parse_houses(read_cells(path, needed=needed, na_values=[""]), path, priced=priced)


def parse_houses(frame: pd.DataFrame, path: Path | str, *, priced: bool = True) -> Houses:
    """Houses from a table of text cells; `path` is what messages call it.

    Raises:
        InputError: as :func:`read_houses`.
    """
    frame = frame.mask(frame == "NA")
    wanted = [ID, *NUMERIC, *CATEGORICAL, *([PRICE] if priced else [])]
    if missing := [column for column in wanted if column not in frame.columns]:
        hint = "; give a file in the columns of Kaggle's train.csv"
        if missing == [PRICE]:
            hint = ": these are houses to predict; train on a file with prices"
        raise InputError(f"{path} lacks the column{'s' * (len(missing) > 1)} {few(missing)}{hint}")
    if frame.empty:
        raise InputError(f"{path} has a header and no rows")
    ids = _numbers(path, frame, ID)
    if np.isnan(ids).any() or (ids % 1 != 0).any():
        raise InputError(f"{path}: the column {ID} must hold whole numbers, one a row")
    if (repeated := frame[ID][frame[ID].duplicated()]).size:
        raise InputError(f"{path}: {ID} {few(repeated.unique())} occurs more than once; keep one row for each house")
    prices = _prices(path, frame) if priced else None
    return Houses(_tidy(frame, path), ids.astype(np.int64), prices)


def _tidy(frame: pd.DataFrame, path: Path | str) -> pd.DataFrame:
    """The 79 features; an empty cell stands for both absent and missing, and becomes one or the other."""
    columns: dict[str, pd.Series] = {}
    for name in NUMERIC:
        columns[name] = pd.Series(_numbers(path, frame, name))
        if (columns[name] < 0).any():
            row = int(np.flatnonzero(columns[name] < 0)[0])
            raise InputError(f"{path}: {name} is {frame[name].iloc[row]} in row {row + 1}; it cannot be negative")
    for name in CATEGORICAL:
        columns[name] = frame[name].astype(object).where(frame[name].notna(), np.nan).reset_index(drop=True)
    for name, amount in NA_MEANS_ABSENT.items():
        absent = columns[name].isna()
        if amount is not None:
            absent &= ~(columns[amount] > 0)
        columns[name] = columns[name].mask(absent, ABSENT)
    return pd.DataFrame(columns)


def missing_counts(features: pd.DataFrame) -> pd.DataFrame:
    """Per column with any, the cells not recorded (`missing`) and the cells where there is nothing (`absent`)."""
    counts = pd.DataFrame({"missing": features.isna().sum(), "absent": (features == ABSENT).sum()})
    # A garage that is not there has no year either: nothing was left out.
    no_garage = int((features["GarageType"] == ABSENT).sum())
    counts.loc["GarageYrBlt"] = [max(0, counts.loc["GarageYrBlt", "missing"] - no_garage), no_garage]
    return counts[counts.sum(axis=1) > 0].sort_values(["missing", "absent"], ascending=False)


def _numbers(path: Path | str, frame: pd.DataFrame, column: str) -> Float[np.ndarray, " rows"]:
    numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(np.float64)
    wrong = np.flatnonzero(frame[column].notna().to_numpy() & ~np.isfinite(numbers))
    if wrong.size:
        raise InputError(f"{path}: {column} is {frame[column].iloc[wrong[0]]!r} in row {wrong[0] + 1}, not a number")
    return numbers


def _prices(path: Path | str, frame: pd.DataFrame) -> Float[np.ndarray, " rows"]:
    prices = _numbers(path, frame, PRICE)
    wrong = np.flatnonzero(~(prices > 0))
    if wrong.size:
        shown = frame[PRICE].iloc[wrong[0]]
        found = "missing" if pd.isna(shown) else str(shown)
        raise InputError(
            f"{path}: {PRICE} is {found} in row {wrong[0] + 1}; every house needs a price above 0"
            f" ({wrong.size:,} of {len(prices):,} rows have none)"
        )
    return prices
