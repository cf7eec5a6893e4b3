"""Houses in Kaggle's own columns whose median price is a known function of what the columns say.

    log median price = 12
        + 0.6 log(living area / 1500) + 0.1 (quality - 6) + 0.08 kitchen + 0.05 garage places + the neighbourhood
        + 0.04 (quality - 6) (condition - 5)
        + 0.35 (age / 50 - 1)^2 where the neighbourhood is historic, else -0.25 (age / 50)
        + 0.1 cos(2 pi (month - 6) / 12)

and the price is that median times lognormal noise. The first line is what a linear model on the columns can learn; the
others need squares, products and the circle of the year. A linear model given those features reaches the noise. On
2,000 houses ridge regression on the columns is left with an `rmse_log` of 0.170, the function itself with 0.083
(`python benchmarks/text_and_tables.py`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

SIGMA = 0.08  # standard deviation of the noise in log price

# Name, effect on the log price, whether old houses are prized there.
NEIGHBORHOODS = (
    ("NAmes", -0.05, False), ("CollgCr", 0.05, False), ("OldTown", -0.15, True), ("Edwards", -0.1, False),
    ("Somerst", 0.1, False), ("NridgHt", 0.3, False), ("Gilbert", 0.0, False), ("BrkSide", -0.1, True),
    ("Crawfor", 0.1, True), ("NoRidge", 0.25, False), ("IDOTRR", -0.25, True), ("Timber", 0.15, False),
)  # fmt: skip
QUALITIES = np.array(["Po", "Fa", "TA", "Gd", "Ex"])


@dataclass(frozen=True)
class SampleHouses:
    """Rows as Kaggle writes them, and what an oracle knows about them."""

    table: pd.DataFrame
    """All 81 columns as text, `NA` included."""
    median: Float[np.ndarray, " houses"]
    """The known function: the best prediction of the price, in dollars."""
    sigma: float
    """Standard deviation of log(price / median): the best `rmse_log` that any model can expect."""


def make_houses(rows: int, seed: int, sigma: float = SIGMA) -> SampleHouses:
    """Draw houses; deterministic in the seed.

    Raises:
        ValueError: on fewer than two rows, or a `sigma` that is not positive.
    """
    if rows < 2 or sigma <= 0:
        raise ValueError(f"need at least two rows and a positive sigma, got {rows} and {sigma}")
    rng = np.random.default_rng([seed, 0x40E5])
    columns = _facts(rows, rng)
    median = np.exp(log_median(pd.DataFrame(columns)))
    noise = rng.normal(0, sigma, rows)
    columns |= _details(columns, rng)
    columns["SalePrice"] = np.round(median * np.exp(noise)).astype(np.int64)
    table = pd.DataFrame({"Id": np.arange(1, rows + 1), **columns}).astype(str)
    return SampleHouses(table, median, sigma)


def log_median(columns: pd.DataFrame) -> Float[np.ndarray, " houses"]:
    """The known function, of the columns that it uses (numbers as numbers, the kitchen's quality in letters)."""
    effect = columns["Neighborhood"].map({name: effect for name, effect, _ in NEIGHBORHOODS}).to_numpy(np.float64)
    historic = columns["Neighborhood"].map({name: old for name, _, old in NEIGHBORHOODS}).to_numpy(bool)
    kitchen = columns["KitchenQual"].map({name: i - 2 for i, name in enumerate(QUALITIES)}).to_numpy(np.float64)
    quality = columns["OverallQual"].to_numpy(np.float64) - 6
    condition = columns["OverallCond"].to_numpy(np.float64) - 5
    age = (columns["YrSold"] - columns["YearBuilt"]).to_numpy(np.float64) / 50
    return (
        12
        + 0.6 * np.log(columns["GrLivArea"].to_numpy(np.float64) / 1500)
        + 0.1 * quality
        + 0.08 * kitchen
        + 0.05 * columns["GarageCars"].to_numpy(np.float64)
        + effect
        + 0.04 * quality * condition
        + np.where(historic, 0.35 * (age - 1) ** 2, -0.25 * age)
        + 0.1 * np.cos(2 * np.pi * (columns["MoSold"].to_numpy(np.float64) - 6) / 12)
    )


def _facts(rows: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The columns that decide the price."""
    names = np.array([name for name, _, _ in NEIGHBORHOODS])
    quality = np.clip(np.round(rng.normal(6, 1.4, rows)), 1, 10).astype(int)
    living = np.round(np.exp(rng.normal(np.log(1450) + 0.08 * (quality - 6), 0.28))).astype(int)
    sold = rng.integers(2006, 2011, rows)
    return {
        "Neighborhood": rng.choice(names, rows),
        "GrLivArea": np.clip(living, 400, 5000),
        "OverallQual": quality,
        "OverallCond": np.clip(np.round(rng.normal(5.4, 1.3, rows)), 1, 9).astype(int),
        "YearBuilt": sold - rng.integers(0, 101, rows),
        "KitchenQual": QUALITIES[np.clip(np.round(rng.normal(2.3 + 0.2 * (quality - 6), 0.6)), 1, 4).astype(int)],
        "GarageCars": rng.choice(4, rows, p=[0.08, 0.25, 0.55, 0.12]),
        "MoSold": rng.integers(1, 13, rows),
        "YrSold": sold,
    }


def _details(facts: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The other columns: they agree with the facts, and add nothing to what the facts say about the price."""
    rows = len(facts["GrLivArea"])

    def pick(**shares: int | float) -> np.ndarray:
        """Categories drawn by their shares; a leading underscore lets a keyword begin with a digit."""
        names = [name.removeprefix("_") for name in shares]
        weights = np.array(list(shares.values()))
        return rng.choice(np.array(names), rows, p=weights / weights.sum())

    def amount(chance: float, mean: int) -> np.ndarray:
        """A size in square feet where there is such a thing, else 0."""
        return np.where(rng.random(rows) < chance, np.round(rng.gamma(4, mean / 4, rows)) + 1, 0).astype(int)

    def where_any(amounts: np.ndarray, values: np.ndarray) -> np.ndarray:
        """`NA` where there is no such thing."""
        return np.where(amounts > 0, values, "NA")

    def grade() -> np.ndarray:
        return QUALITIES[np.clip(np.round(rng.normal(2.2, 0.6, rows)), 1, 4).astype(int)]

    built, living, cars = facts["YearBuilt"], facts["GrLivArea"], facts["GarageCars"]
    second = np.where(rng.random(rows) < 0.4, np.round(living * rng.uniform(0.35, 0.5, rows)), 0).astype(int)
    basement = np.where(rng.random(rows) < 0.96, living - second, 0)
    finished = np.round(basement * rng.choice([0.0, 0.3, 0.6, 1.0], rows)).astype(int)
    veneer = amount(0.4, 200)
    fireplaces = rng.choice(3, rows, p=[0.47, 0.44, 0.09])
    shed, pool = amount(0.04, 700), amount(0.01, 500)
    garage_year = np.minimum(built + rng.choice([0, 0, 0, 5, 20], rows), facts["YrSold"])
    remodelled = np.minimum(built + rng.choice([0, 0, 10, 30], rows), facts["YrSold"])
    frontage = np.round(rng.normal(70, 18, rows).clip(21, 200)).astype(int).astype(str)
    return {
        "MSSubClass": np.where(second > 0, "60", pick(_20=6, _50=2, _120=1)),
        "MSZoning": pick(RL=80, RM=14, FV=6),
        "LotFrontage": np.where(rng.random(rows) < 0.18, "NA", frontage),
        "LotArea": np.round(np.exp(rng.normal(9.1, 0.4, rows))).astype(int),
        "Street": pick(Pave=99.5, Grvl=0.5),
        "Alley": pick(NA=94, Grvl=3, Pave=3),
        "LotShape": pick(Reg=63, IR1=33, IR2=3, IR3=1),
        "LandContour": pick(Lvl=90, Bnk=4, HLS=3, Low=3),
        "Utilities": pick(AllPub=100),
        "LotConfig": pick(Inside=72, Corner=18, CulDSac=6, FR2=4),
        "LandSlope": pick(Gtl=95, Mod=4, Sev=1),
        "Condition1": pick(Norm=86, Feedr=6, Artery=4, PosN=4),
        "Condition2": pick(Norm=99, Feedr=1),
        "BldgType": pick(_1Fam=84, TwnhsE=8, Duplex=4, Twnhs=4),
        "HouseStyle": np.where(second > 0, "2Story", "1Story"),
        "YearRemodAdd": remodelled,
        "RoofStyle": pick(Gable=78, Hip=20, Flat=2),
        "RoofMatl": pick(CompShg=98, WdShngl=2),
        "Exterior1st": pick(VinylSd=45, HdBoard=20, MetalSd=20, Plywood=15),
        "Exterior2nd": pick(VinylSd=45, HdBoard=20, MetalSd=20, Plywood=15),
        "MasVnrType": np.where(rng.random(rows) < 0.005, "NA", np.where(veneer > 0, pick(BrkFace=3, Stone=1), "None")),
        "MasVnrArea": veneer,
        "ExterQual": grade(),
        "ExterCond": grade(),
        "Foundation": pick(PConc=45, CBlock=43, BrkTil=12),
        "BsmtQual": where_any(basement, grade()),
        "BsmtCond": where_any(basement, grade()),
        "BsmtExposure": where_any(basement, pick(No=65, Av=15, Gd=10, Mn=10)),
        "BsmtFinType1": where_any(basement, np.where(finished > 0, pick(GLQ=4, ALQ=2, Rec=1), "Unf")),
        "BsmtFinSF1": finished,
        "BsmtFinType2": where_any(basement, np.full(rows, "Unf")),
        "BsmtFinSF2": np.zeros(rows, int),
        "BsmtUnfSF": basement - finished,
        "TotalBsmtSF": basement,
        "Heating": pick(GasA=98, GasW=2),
        "HeatingQC": grade(),
        "CentralAir": pick(Y=93, N=7),
        "Electrical": pick(SBrkr=91.9, FuseA=8, NA=0.1),
        "1stFlrSF": living - second,
        "2ndFlrSF": second,
        "LowQualFinSF": np.zeros(rows, int),
        "BsmtFullBath": (finished > 300) * 1,
        "BsmtHalfBath": rng.choice(2, rows, p=[0.95, 0.05]),
        "FullBath": np.clip(living // 900, 1, 3),
        "HalfBath": (second > 0) * 1,
        "BedroomAbvGr": np.clip(living // 500, 1, 6),
        "KitchenAbvGr": np.ones(rows, int),
        "TotRmsAbvGrd": np.clip(living // 230, 3, 14),
        "Functional": pick(Typ=93, Min2=3, Min1=2, Mod=2),
        "Fireplaces": fireplaces,
        "FireplaceQu": where_any(fireplaces, grade()),
        "GarageType": where_any(cars, pick(Attchd=62, Detchd=28, BuiltIn=10)),
        "GarageYrBlt": where_any(cars, garage_year.astype(str)),
        "GarageFinish": where_any(cars, pick(Unf=45, RFn=30, Fin=25)),
        "GarageArea": cars * rng.integers(220, 280, rows),
        "GarageQual": where_any(cars, grade()),
        "GarageCond": where_any(cars, grade()),
        "PavedDrive": pick(Y=92, N=6, P=2),
        "WoodDeckSF": amount(0.5, 180),
        "OpenPorchSF": amount(0.55, 80),
        "EnclosedPorch": amount(0.14, 150),
        "3SsnPorch": amount(0.02, 200),
        "ScreenPorch": amount(0.08, 190),
        "PoolArea": pool,
        "PoolQC": where_any(pool, grade()),
        "Fence": pick(NA=80, MnPrv=11, GdPrv=5, GdWo=4),
        "MiscFeature": where_any(shed, np.full(rows, "Shed")),
        "MiscVal": shed,
        "SaleType": pick(WD=87, New=9, COD=4),
        "SaleCondition": pick(Normal=82, Partial=9, Abnorml=9),
    }
