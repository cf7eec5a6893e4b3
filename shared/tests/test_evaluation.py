"""A result beside baseline and optimum."""

import pytest

from dl_shared.tasks.evaluation import side_by_side


@pytest.mark.parametrize(
    ("optimum", "closed"),
    [
        ({"mae": 1.0}, 0.75),  # of the way from 3 to 1, an error of 1.5 has gone three quarters
        ({"mae": 3.0}, None),  # the baseline cannot be beaten
        (None, None),  # real data
    ],
)
def test_the_gap_is_closed_by_a_share_where_there_is_one(optimum, closed):
    test, baseline = {"mae": 1.5, "rmse": 9.0}, {"name": "persistence", "mae": 3.0}
    found = side_by_side("mae", test=test, baseline=baseline, optimum=optimum)
    assert found == {"test": test, "baseline": baseline, "optimum": optimum, "gap_closed": closed}
