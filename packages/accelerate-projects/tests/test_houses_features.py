"""Columns made of one row alone, and a preprocessor that learns from the training houses and nothing else."""

import json

import numpy as np
import pandas as pd
import pytest

from accelerate_projects.houses.config import GROUPS
from accelerate_projects.houses.features import GROUPS as MADE
from accelerate_projects.houses.features import make_features
from accelerate_projects.houses.preprocessing import FEWEST, Preprocessor
from dl_shared.data.houses import parse_houses
from dl_shared.sample.houses import make_houses


@pytest.fixture(scope="module")
def features():
    """Of 300 houses."""
    return parse_houses(make_houses(300, seed=1).table, "the sample").features


def test_the_groups_of_the_options_are_those_that_are_made():
    assert tuple(MADE) == GROUPS


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_a_function_of_each_row_alone(features, group):
    whole = make_features(features, [group])
    alone = make_features(features.iloc[[7]], [group])
    for name in alone:
        expected, found = whole.loc[7, name], alone.loc[7, name]
        assert (pd.isna(expected) and pd.isna(found)) or found == expected, name


def test_houses_without_basement_garage_or_rooms_give_no_infinity(features):
    bare = features.iloc[[0]].copy()
    bare[["TotalBsmtSF", "BsmtUnfSF", "GarageArea", "TotRmsAbvGrd"]] = 0.0
    bare["GarageYrBlt"] = np.nan
    made = make_features(bare, GROUPS).select_dtypes("number")
    assert not np.isinf(made.to_numpy(np.float64)).any()
    assert made["GarageYrBlt"].item() == bare["YearBuilt"].item(), "no garage is not a missing garage"


def test_scaled_columns_have_mean_0_and_deviation_1(features):
    columns = Preprocessor.fit(features, GROUPS).transform(features)
    np.testing.assert_allclose(columns.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(columns.std(axis=0), 1, atol=1e-9)


def test_nothing_of_held_out_houses_is_learned(features):
    preprocessor = Preprocessor.fit(features.iloc[:200], GROUPS, trim=0.05)
    before = preprocessor.transform(features.iloc[:200])
    spoiled = features.copy()
    spoiled.loc[200:, ["GrLivArea", "Neighborhood"]] = [1e6, "Atlantis"]
    again = Preprocessor.fit(spoiled.iloc[:200], GROUPS, trim=0.05)
    np.testing.assert_array_equal(again.transform(spoiled.iloc[:200]), before)
    names = [name for name in preprocessor.names if name.startswith("Neighborhood ")]
    none_of_them = [-preprocessor.center[name] / preprocessor.scale[name] for name in names]
    later = preprocessor.transform(spoiled.iloc[200:])[:, [preprocessor.names.index(name) for name in names]]
    np.testing.assert_allclose(later, np.tile(none_of_them, (100, 1)), err_msg="an unknown category is none of them")


def test_a_giant_is_taken_to_be_as_large_as_the_largest_of_the_others(features):
    giant = features.copy()
    giant.loc[0, "GrLivArea"] = 1e6
    preprocessor = Preprocessor.fit(giant, ["sizes", "totals"], trim=0.01)
    second = features.copy()
    second.loc[0, "GrLivArea"] = preprocessor.limits["GrLivArea"]
    assert preprocessor.limits["GrLivArea"] < 1e4
    np.testing.assert_array_equal(preprocessor.transform(giant), preprocessor.transform(second))


def test_what_was_not_recorded_is_the_median_and_says_so(features):
    houses = features.copy()
    houses.loc[:9, "LotArea"] = np.nan
    preprocessor = Preprocessor.fit(houses, ["sizes"])
    assert "log LotArea not recorded" in preprocessor.names
    name, median = "log LotArea", np.log1p(houses["LotArea"]).median()
    column = preprocessor.transform(houses)[:, preprocessor.names.index(name)]
    np.testing.assert_allclose(column[:10], (median - preprocessor.center[name]) / preprocessor.scale[name])


def test_rare_categories_and_empty_columns_get_no_column(features):
    houses = features.copy()
    houses["RoofMatl"] = ["Gold"] * (FEWEST - 1) + ["Straw"] * (len(houses) - FEWEST + 1)
    houses["PoolArea"] = np.nan
    names = Preprocessor.fit(houses, GROUPS, trim=0.01).names
    assert not [name for name in names if "RoofMatl" in name or "log PoolArea" in name]


def test_it_survives_json(features):
    preprocessor = Preprocessor.fit(features, GROUPS, trim=0.01)
    again = Preprocessor.from_json(json.loads(json.dumps(vars(preprocessor))))
    assert again == preprocessor
    np.testing.assert_array_equal(again.transform(features), preprocessor.transform(features))
