"""What is said of the houses that a model misjudges, and models compared on the same houses."""

import numpy as np
import pandas as pd
import pytest

from dl_shared.data.houses import parse_houses
from dl_shared.metrics.regression import compare_regression, score_regression
from dl_shared.sample.houses import make_houses
from dl_shared.tasks import houses
from dl_shared.tasks.houses_errors import as_table, explain_largest, unusual


@pytest.fixture(scope="module")
def parts():
    """200 houses to learn from, 50 others."""
    every = parse_houses(make_houses(250, seed=0).table, "the sample")
    return every.take(np.arange(200)), every.take(np.arange(200, 250))


def test_the_worst_come_first_with_what_moved_them(parts):
    train, test = parts
    predicted = test.prices * np.exp(0.001)
    predicted[[7, 30]] *= [2.0, 0.2]
    moved = pd.DataFrame(np.zeros((50, 3)), columns=["area", "age", "garage"])
    moved.loc[30] = [0.1, -0.5, 0.2]
    worst, second = explain_largest(train, test, predicted, moved, count=2)
    assert (worst.row, second.row) == (30, 7)
    assert worst.number == test.ids[30]
    assert worst.parts == (("age", -0.5), ("garage", 0.2), ("area", 0.1))
    assert f"House {test.ids[30]} was sold for {test.prices[30]:,.0f}" in worst.sentence
    assert "age (-39 %), garage (+22 %)" in worst.sentence
    assert second.error == pytest.approx(100.2, abs=0.01)
    assert as_table([worst])[f"house {test.ids[30]}"]["error"] == "-80 %"


def test_only_what_few_training_houses_have_is_unusual(parts):
    train, _ = parts
    plain = train.features.median(numeric_only=True)
    words = train.features.select_dtypes(exclude="number").mode().iloc[0]
    house = pd.concat([plain, words])[train.features.columns]
    assert unusual(train.features, house) == ()
    house["GrLivArea"], house["Neighborhood"], house["SaleCondition"] = 99_000.0, "Atlantis", "Partial"
    assert unusual(train.features, house) == (
        "sold as Partial",
        "GrLivArea 99,000, above all of the training houses",
        "Neighborhood Atlantis, which no training house has",
    )
    house["PoolArea"] = np.nan
    assert len(unusual(train.features, house, most=2)) == 2


def test_like_houses_are_the_same_house_where_it_was_seen(parts):
    train, _ = parts
    again = train.take(np.repeat([3], 5))
    seen = train.take(np.concatenate([np.arange(200), np.repeat([3], 5)]))
    (found,) = explain_largest(seen, again, np.full(5, 1e6), count=1)
    assert found.like == train.prices[3]


def test_models_are_compared_in_pairs_on_the_same_rows():
    rng = np.random.default_rng(0)
    actual = np.exp(rng.normal(12, 0.4, 400))
    good, bad = (actual * np.exp(rng.normal(0, 0.1, 400)) for _ in range(2))
    compared = compare_regression({"good": good, "bad": bad * 1.05, "same": good}, actual, "good")
    scores = score_regression(good, actual)
    assert compared["good"]["rmse_log"] == pytest.approx(scores["rmse_log"])
    assert compared["good"]["rmse"] == pytest.approx(scores["rmse"])
    assert compared["good"]["rmse_log_ci"] == pytest.approx(scores["rmse_log_ci"])
    assert "rmse_log_more" not in compared["good"]
    assert compared["same"]["rmse_log_more_ci"] == [0, 0]
    low, high = compared["bad"]["rmse_log_more_ci"]
    assert low < compared["bad"]["rmse_log_more"] < high


def test_all_houses_of_a_source_are_those_of_its_parts():
    whole, data = houses.load_whole("sample", seed=1, sample_size=120), houses.load("sample", seed=1, sample_size=120)
    together = np.concatenate([part.ids for part in (data.train, data.validation, data.test)])
    assert sorted(together) == whole.houses.ids.tolist()
    oracle = score_regression(whole.median[data.test.ids - 1], data.test.prices, replicates=0)
    assert data.optimum == oracle
