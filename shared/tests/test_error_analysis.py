"""Errors by group against numbers worked by hand, and the sentences that hand-made numbers write."""

import numpy as np
import pytest

from dl_shared.metrics.error_analysis import Group, compare_groups
from dl_shared.plots.error_analysis import errors_by_group
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_discussion import (
    analyse,
    describe_horizons,
    describe_months,
    describe_overall,
    describe_regimes,
    listing,
)


def group(name, error=1.0, reference=1.0, interval=(-0.1, 0.1), coverage=None):
    return Group(name, 10, float(error), float(reference), 1 - error / reference, interval, coverage)


BETTER, WORSE = (0.05, 0.15), (-0.15, -0.05)


def test_errors_and_skill_by_hand():
    errors = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    reference = np.array([[2.0, 2.0], [2.0, 8.0], [8.0, 8.0]])
    inside = np.array([[True, True], [True, False], [True, False]])
    by_column = np.broadcast_to(np.arange(2), (3, 2))
    first, second = compare_groups(
        errors, reference, by_column, ["1", "2"], dates=np.arange(3), inside=inside, replicates=50
    )
    assert (first.count, first.error, first.reference, first.coverage) == (3, 3.0, 4.0, 1.0)
    assert first.skill == pytest.approx(1 - 9 / 12)
    assert (second.error, second.reference, second.skill) == (4.0, 6.0, pytest.approx(1 - 12 / 18))
    assert second.coverage == pytest.approx(1 / 3)
    assert first.interval is None, "three days tell nothing of their spread"
    assert first.verdict == "open"
    by_row = np.broadcast_to(np.array([[0], [2], [2]]), (3, 2))
    names = [found.name for found in compare_groups(errors, reference, by_row, ["a", "b", "c"], dates=np.arange(3))]
    assert names == ["a", "c"], "nothing is said of a group without rows"


def test_persistence_is_not_shown_to_be_anything():
    errors = np.random.default_rng(0).exponential(size=(100, 3))
    for found in compare_groups(
        errors, errors, np.broadcast_to(np.arange(3), (100, 3)), list("abc"), dates=np.arange(100)
    ):
        assert (found.skill, found.interval, found.verdict) == (0.0, (0.0, 0.0), "open")


def test_intervals_hold_for_all_groups_at_once():
    """Twelve groups of independent errors with no difference at all: in 95 % of trials none is called one."""
    rng, called, trials = np.random.default_rng(0), 0, 60
    months = np.broadcast_to((np.arange(600) % 12)[:, None], (600, 1))
    for _ in range(trials):
        errors, reference = rng.exponential(size=(2, 600, 1))
        found = compare_groups(
            errors, reference, months, [str(m) for m in range(12)], dates=np.arange(600), replicates=300
        )
        called += any(each.verdict != "open" for each in found)
    assert called <= 8, "of 60 trials 3 are expected, and of single intervals 28"


def test_a_difference_is_found_where_there_is_one():
    rng = np.random.default_rng(0)
    reference = rng.exponential(size=(2000, 2))
    errors = reference * np.array([0.8, 1.2]) + 0.1 * rng.exponential(size=(2000, 2))
    columns = np.broadcast_to(np.arange(2), (2000, 2))
    better, worse = compare_groups(errors, reference, columns, ["1", "2"], dates=np.arange(2000))
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.interval[0] < better.skill < better.interval[1]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["3"], "3"),
        (["1", "2"], "1 and 2"),
        (["1", "2", "3", "4"], "1 to 4"),
        (["1", "2", "3", "7", "9", "10"], "1 to 3, 7 and 9 and 10"),
        (["calm", "wild"], "calm and wild"),
        (["March", "April", "May"], "March, April and May"),
    ],
)
def test_names_as_a_person_lists_them(names, expected):
    assert listing([group(name) for name in names]) == expected


def test_horizons_where_nothing_is_shown():
    groups = [group("1", 1.2, 1.2), group("2", 1.7, 1.6), group("4", 2.5, 2.4)]
    assert describe_horizons(groups) == (
        "The mean error goes from 1.20 % of the price at 1 day ahead to 2.50 % at 4 days, 2.1 times as much;"
        " persistence's grows 2.0 times, and a random walk's would 2.0 times."
        " It is nowhere shown better or worse than persistence: no 95 % interval of the skill leaves out 0."
    )


def test_horizons_better_at_first_and_worse_later():
    groups = [group("1", 0.9, interval=BETTER), group("2", 0.8, interval=BETTER), group("3"), group("4", 1.1, 1, WORSE)]
    text = describe_horizons(groups)
    assert text.endswith(
        "It is better than persistence at 1 and 2 days ahead (skill +0.100 to +0.200) and worse than persistence at 4"
        " days ahead (skill -0.100); elsewhere neither is shown."
    )


def test_one_day_ahead_alone():
    text = describe_horizons([group("1", 0.5, interval=BETTER)])
    assert text == (
        "The mean error is 0.50 % of the price. It is better than persistence everywhere, with a skill of +0.500."
    )


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [
        ((0.91, 0.90, 0.89), "hold 89 to 91 % of the prices that came, everywhere within two points of it."),
        ((0.95, 0.90, 0.82), "too few in wild times and too many in calm times."),
        ((0.84, 0.84, 0.84), "hold 84 % of the prices that came, too few in calm, middle and wild times."),
    ],
)
def test_what_intervals_hold_in_each_regime(coverage, expected):
    groups = [group(name, coverage=share) for name, share in zip(("calm", "middle", "wild"), coverage, strict=True)]
    assert expected in describe_regimes(groups, (1.0, 2.0), 0.9)


def test_regimes_that_differ_and_those_that_do_not():
    wild = describe_regimes([group("calm", 1, 1, WORSE), group("wild", 2.5, 2, WORSE)], (1.04, 1.96))
    assert wild == (
        "The mean error is 2.50 % of the price in wild times (volatility above 2.0 % a day), 2.5 times that of calm"
        " ones (below 1.0 %); persistence's is 2.0 times. It is worse than persistence everywhere, with a skill of"
        " -0.250 to +0.000."
    )
    assert "about that of calm ones" in describe_regimes([group("calm"), group("wild", 1.02)], (1.0, 2.0))
    assert describe_regimes([group("calm")], (0.0, 0.0)).startswith(
        "The mean error is 1.00 % of the price in calm times."
    )


def test_months_made_by_one_year_by_many_and_by_one_alone():
    groups = [group("March", 6), group("July", 2), group("May", 3)]
    made = describe_months(groups, {2019: 0.1, 2020: 0.6, 2021: 0.3})
    assert made.startswith(
        "The mean error is largest in March, 6.00 % of the price, and smallest in July, 2.00 %."
        " 2020 alone makes 60 % of March's, one of 3 years. It is nowhere"
    )
    spread = describe_months(groups, {2019: 0.3, 2020: 0.4, 2021: 0.3})
    assert "No single one of the 3 years makes more than 40 % of it." in spread
    assert "March is seen in 2020 only." in describe_months(groups[:1], {2020: 1.0})


@pytest.mark.parametrize(
    ("skill", "interval", "p_value", "expected"),
    [
        (0.1, [0.05, 0.15], 1e-9, "it is better than persistence (Diebold-Mariano p < 0.001)"),
        (-0.1, [-0.15, -0.05], 0.01, "it is worse than persistence (Diebold-Mariano p = 0.010)"),
        (0.0, [-0.05, 0.05], 0.97, "it is not shown better or worse than persistence (Diebold-Mariano p = 0.970)"),
    ],
)
def test_overall_against_persistence(skill, interval, p_value, expected):
    baselines = {"persistence": {"mae": 1.0, "diebold_mariano": {"p_value": p_value}}}
    assert expected in describe_overall({"mae": 1 - skill, "skill": skill, "skill_ci": interval}, baselines)


@pytest.mark.parametrize(
    ("mae", "p_value", "expected"),
    [
        (
            0.9,
            0.01,
            "Its error is 5.3 % below that of seasonal naive, the best of the classical methods, which is significant",
        ),
        (
            1.0,
            0.3,
            "Its error is 5.3 % above that of seasonal naive, the best of the classical methods, which is within",
        ),
    ],
)
def test_overall_against_the_best_classical_method(mae, p_value, expected):
    tested = {"diebold_mariano": {"p_value": p_value}}
    baselines = {
        name: {"mae": value, **tested} for name, value in {"persistence": 1, "seasonal_naive": 0.95, "drift": 2}.items()
    }
    text = describe_overall({"mae": mae, "skill": 1 - mae, "skill_ci": [-1, 1]}, baselines)
    assert expected in text


def test_prices_that_never_moved():
    assert describe_overall({"mae": 0.0}, {"persistence": {"diebold_mariano": {"p_value": 1.0}}}).startswith(
        "No price moved"
    )


def test_the_analysis_of_some_forecasts():
    data = stocks.load("sample", seed=0, lookback=20, horizon=3, tickers=["S00", "S01"])
    forecasts = 0.9 * data.oracle
    found = analyse(data, forecasts)
    assert [len(finding.groups) for finding in found.values()] == [3, 3, 12]
    assert all(group.coverage is None for finding in found.values() for group in finding.groups)
    count = forecasts.size
    assert all(sum(group.count for group in finding.groups) == count for finding in found.values())
    errors = 100 * np.abs(np.exp(forecasts) - np.exp(data.test.targets))
    np.testing.assert_allclose([group.error for group in found["horizon"].groups], errors.mean(axis=0))
    calm, _, wild = found["volatility"].groups
    assert wild.reference > 1.5 * calm.reference
    assert "better than persistence everywhere" in found["horizon"].sentence
    quantiles = forecasts[..., None] + np.array([-1.0, 0.0, 1.0])
    covered = analyse(data, forecasts, quantiles, (0.05, 0.5, 0.95))
    assert all(group.coverage == 1 for group in covered["month"].groups)
    assert "too many" in covered["volatility"].sentence


@pytest.mark.parametrize("nominal", [None, 0.9])
def test_the_picture_has_a_panel_for_each_question(nominal):
    groups = [
        group("March", 2, 3, BETTER, 0.9),
        group("April", coverage=0.8),
        group("May", 2, 1, WORSE, 0.95),
        group("June", 1, 1, None, 0.9),
    ]
    fig = errors_by_group(groups, label="month", title="Errors by month", nominal=nominal, short=True)
    assert len(fig.axes) == (2 if nominal is None else 3)
    assert fig.get_suptitle() == "Errors by month"
    assert "%" in fig.axes[0].get_ylabel()
    texts = [text.get_text() for text in fig.axes[1].get_legend().get_texts()]
    assert texts == ["better", "worse", "not shown either"]
    assert [tick.get_text() for tick in fig.axes[-1].get_xticklabels()] == ["Mar", "Apr", "May", "Jun"]
