"""Houses: what NA means, what is refused, and a sample whose oracle is known."""

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV

from dl_shared.baselines.ridge import ridge_cross_validated, ridge_prices
from dl_shared.data.houses import ABSENT, CATEGORICAL, NUMERIC, ORDERED, missing_counts, read_houses
from dl_shared.errors import InputError
from dl_shared.metrics.regression import score_regression
from dl_shared.sample.houses import NEIGHBORHOODS, log_median, make_houses


@pytest.fixture
def table() -> pd.DataFrame:
    return make_houses(60, seed=0).table


def written(table: pd.DataFrame, tmp_path: Path) -> Path:
    table.to_csv(tmp_path / "train.csv", index=False)
    return tmp_path / "train.csv"


def test_a_file_whose_line_ends_are_lost(table, tmp_path):
    """Reading its header would take minutes."""
    path = written(pd.concat([table] * 20), tmp_path)
    path.write_text(path.read_text().replace("\n", ","))
    with pytest.raises(InputError, match="columns in its first line"):
        read_houses(path)


def test_a_first_row_that_goes_on_and_on(table, tmp_path):
    """Its cells would be as many levels of an index."""
    path = written(table, tmp_path)
    header, first, *others = path.read_text().splitlines()
    path.write_text("\n".join([header, first + ",0" * 100_000, *others]))
    with pytest.raises(InputError, match=r"100,\d\d\d columns in its first lines"):
        read_houses(path)


def test_one_long_cell_is_not_paid_for_by_all_the_others(table, tmp_path):
    table.loc[3, "Neighborhood"] = "x" * 20_000
    houses = read_houses(written(table, tmp_path))
    tracemalloc.start()
    digest = houses.fingerprint
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert digest != read_houses(written(table.assign(Neighborhood="NAmes"), tmp_path)).fingerprint


def test_na_is_a_category_only_where_there_is_nothing(table, tmp_path):
    table.loc[0, ["GarageArea", "GarageCars", "GarageType", "GarageFinish", "GarageYrBlt"]] = ["0", "0", *["NA"] * 3]
    table.loc[1, ["GarageArea", "GarageFinish"]] = ["480", "NA"]  # a garage whose finish was not written down
    table.loc[2, ["TotalBsmtSF", "BsmtExposure"]] = ["1426", "NA"]
    table.loc[3, ["PoolArea", "PoolQC"]] = ["0", "NA"]
    table.loc[4, ["LotFrontage", "MasVnrType", "Electrical"]] = "NA"
    table.loc[5, ["MasVnrType", "MasVnrArea"]] = ["None", "0"]
    table.loc[6, "Alley"] = "NA"
    features = read_houses(written(table, tmp_path)).features
    assert features.loc[0, ["GarageType", "GarageFinish"]].tolist() == [ABSENT, ABSENT]
    assert np.isnan(features.loc[0, "GarageYrBlt"])
    assert pd.isna(features.loc[1, "GarageFinish"])
    assert pd.isna(features.loc[2, "BsmtExposure"])
    assert features.loc[3, "PoolQC"] == ABSENT
    assert features.loc[4, ["LotFrontage", "MasVnrType", "Electrical"]].isna().all()
    assert features.loc[5, "MasVnrType"] == "None"
    assert features.loc[6, "Alley"] == ABSENT
    counts = missing_counts(features)
    assert counts.loc["GarageYrBlt", "missing"] == 0
    assert counts.loc["GarageFinish", "missing"] == 1
    assert counts.loc["Alley", "missing"] == 0


def test_reads_a_file_and_a_folder_with_every_column(table, tmp_path):
    houses = read_houses(written(table, tmp_path))
    assert (len(houses), len(houses.features.columns)) == (60, 79)
    assert set(houses.features.columns) == set(table.columns) - {"Id", "SalePrice"}
    assert all(houses.features[name].dtype == np.float64 for name in NUMERIC)
    assert houses.prices is not None
    assert houses.prices.tolist() == table["SalePrice"].astype(float).tolist()
    assert read_houses(tmp_path).fingerprint == houses.fingerprint
    assert houses.take(np.array([3, 1])).ids.tolist() == [4, 2]
    for name, order in ORDERED.items():
        assert set(houses.features[name].dropna()) <= set(order), name


def test_reads_houses_to_predict(table, tmp_path):
    path = written(table.drop(columns="SalePrice"), tmp_path)
    assert read_houses(path, priced=False).prices is None
    with pytest.raises(InputError, match="lacks the column SalePrice: these are houses to predict"):
        read_houses(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"GrLivArea": None}, "lacks the column GrLivArea; give a file in the columns of Kaggle's"),
        ({"SalePrice": "cheap"}, "SalePrice is 'cheap' in row 3, not a number"),
        ({"SalePrice": "-5"}, "SalePrice is -5 in row 3; every house needs a price above 0"),
        ({"SalePrice": "0"}, "SalePrice is 0 in row 3"),
        ({"SalePrice": "NA"}, "SalePrice is missing in row 3"),
        ({"SalePrice": "inf"}, "SalePrice is 'inf' in row 3"),
        ({"LotArea": "wide"}, "LotArea is 'wide' in row 3, not a number"),
        ({"LotArea": "-1"}, "LotArea is -1 in row 3; it cannot be negative"),
        ({"Id": "2"}, "Id 2 occurs more than once"),
        ({"Id": "x"}, "Id is 'x' in row 3"),
    ],
)
def test_refuses_bad_cells(table, tmp_path, change, message):
    ((column, value),) = change.items()
    if value is None:
        table = table.drop(columns=column)
    else:
        table.loc[2, column] = value
    with pytest.raises(InputError, match=message) as caught:
        read_houses(written(table, tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "lacks the columns Id, .* and 76 more"),
        (b"\xff\xfe\0", "is not UTF-8"),
        (b'a,b\n"1,2\n', "is no CSV table"),
    ],
)
def test_refuses_what_is_no_such_table(tmp_path, content, message):
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_houses(tmp_path)


def test_refuses_missing_and_headless(table, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_houses(tmp_path)
    with pytest.raises(InputError, match="a header and no rows"):
        read_houses(written(table[:0], tmp_path))


def test_sample_is_seeded_and_its_noise_known():
    sample = make_houses(4000, seed=2)
    assert sample.table.equals(make_houses(4000, seed=2).table)
    assert not sample.table.equals(make_houses(4000, seed=3).table)
    noise = np.log(sample.table["SalePrice"].astype(float) / sample.median)
    assert noise.std() == pytest.approx(sample.sigma, rel=0.05)
    assert noise.mean() == pytest.approx(0, abs=0.005)


def test_known_function_by_hand():
    house = pd.DataFrame(
        {
            "Neighborhood": ["OldTown", "NAmes"], "GrLivArea": [1500, 3000], "OverallQual": [6, 8],
            "OverallCond": [5, 7], "KitchenQual": ["TA", "Ex"], "GarageCars": [0, 2], "YrSold": [2010, 2010],
            "YearBuilt": [1910, 1960], "MoSold": [6, 12],
        }
    )  # fmt: skip
    first = 12 - 0.15 + 0.35 + 0.1
    second = 12 + 0.6 * np.log(2) + 0.2 + 0.16 + 0.1 - 0.05 + 0.16 - 0.25 - 0.1
    assert log_median(house) == pytest.approx([first, second])


def informed_features(features: pd.DataFrame) -> np.ndarray:
    """What the known function is linear in: squares and products of columns."""
    age = ((features["YrSold"] - features["YearBuilt"]) / 50).to_numpy()[:, None]
    places = np.stack([features["Neighborhood"] == name for name, _, _ in NEIGHBORHOODS], axis=1).astype(float)
    month = 2 * np.pi * features["MoSold"] / 12
    quality, condition = features["OverallQual"], features["OverallCond"]
    kitchen = features["KitchenQual"].map({name: i for i, name in enumerate(ORDERED["KitchenQual"])})
    plain = [np.log(features["GrLivArea"]), quality, condition, quality * condition, kitchen, features["GarageCars"]]
    return np.column_stack([*plain, np.sin(month), np.cos(month), places, places * age, places * age**2])


def test_ridge_leaves_a_wide_gap_and_a_linear_model_of_the_right_features_closes_it(tmp_path):
    sample = make_houses(2000, seed=0)
    houses = read_houses(written(sample.table, tmp_path))
    train, test = houses.take(np.arange(1600)), houses.take(np.arange(1600, 2000))
    baseline = score_regression(ridge_prices(train, test.features), test.prices, replicates=0)["rmse_log"]
    oracle = score_regression(sample.median[1600:], test.prices, replicates=0)["rmse_log"]
    model = RidgeCV(np.logspace(-3, 2, 6)).fit(informed_features(train.features), np.log(train.prices))
    informed = np.exp(model.predict(informed_features(test.features)))
    reached = score_regression(informed, test.prices, replicates=0)["rmse_log"]
    assert baseline > 1.8 * oracle
    assert (reached - baseline) / (oracle - baseline) > 0.95


def test_ridge_predicts_houses_with_values_never_seen(table, tmp_path):
    houses = read_houses(written(table, tmp_path))
    other = houses.features.copy()
    other.loc[0, ["Neighborhood", "MSZoning"]] = ["Atlantis", np.nan]
    other.loc[1, list(NUMERIC[:3])] = np.nan
    assert (ridge_prices(houses, other) > 0).all()


def test_out_of_fold_prices_do_not_know_the_house(table, tmp_path):
    houses = read_houses(written(table, tmp_path))
    before = ridge_cross_validated(houses, folds=3)
    houses.prices[7] *= 3
    assert ridge_cross_validated(houses, folds=3)[7] == before[7]


@pytest.mark.skipif("DL_TEST_DATA" not in os.environ, reason="needs the real data")
def test_the_real_houses():
    houses = read_houses(Path(os.environ["DL_TEST_DATA"]) / "house_prices")
    assert len(houses) == 1168
    counts = missing_counts(houses.features)["missing"]
    found = {"LotFrontage": 209, "MasVnrArea": 5, "MasVnrType": 5, "BsmtFinType2": 1}
    assert counts[counts > 0].to_dict() == found
    for name, order in ORDERED.items():
        assert set(houses.features[name].dropna()) <= set(order), name
    assert len(CATEGORICAL) + len(NUMERIC) == 79
    assert score_regression(ridge_cross_validated(houses), houses.prices, replicates=0)["rmse_log"] < 0.14
