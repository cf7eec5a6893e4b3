"""Conformal calibration against numbers worked by hand, and what it promises on fresh data."""

import numpy as np
import pytest

from flax_projects.stocks.calibration import fit_stretch, stretch_intervals

LEVELS = (0.25, 0.5, 0.75)


def test_the_factor_is_the_score_of_the_rank_that_theory_asks_for():
    """Median 0, interval from -1 to 2; five targets lie 0.5, 1, 1.5, 2 and 3 half-widths away."""
    quantiles = np.tile([-1.0, 0.0, 2.0], (5, 1, 1))
    targets = np.array([[-0.5], [2.0], [-1.5], [4.0], [-3.0]])
    # ceil((5 + 1) * 0.5) = 3: the third smallest
    np.testing.assert_allclose(fit_stretch(quantiles, targets, LEVELS), [[1.5]])
    # ceil((5 + 1) * 0.9) = 6 > 5: the largest there is
    np.testing.assert_allclose(fit_stretch(quantiles, targets, (0.05, 0.5, 0.95)), [[3.0]])


def test_the_rank_is_not_raised_by_binary_rounding():
    """Nineteen windows and 90 %: 20 * 0.9 = 18, not the 19 that 20 * (0.95 - 0.05) would be rounded up to."""
    quantiles = np.tile([-1.0, 0.0, 1.0], (19, 1, 1))
    targets = np.arange(1.0, 20.0)[:, None]
    np.testing.assert_allclose(fit_stretch(quantiles, targets, (0.05, 0.5, 0.95)), [[18.0]])


def test_each_day_ahead_has_its_own_factor():
    quantiles = np.tile([-1.0, 0.0, 1.0], (3, 2, 1))
    targets = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    np.testing.assert_allclose(fit_stretch(quantiles, targets, LEVELS), [[2.0], [20.0]])


def test_intervals_are_stretched_around_the_median():
    quantiles = np.array([[[0.0, 1.0, 3.0]]])
    np.testing.assert_allclose(stretch_intervals(quantiles, np.array([[2.0]])), [[[-1.0, 1.0, 5.0]]])


def test_a_wider_interval_is_never_left_inside_a_narrower_one():
    quantiles = np.array([[[-2.0, -1.0, 0.0, 1.0, 2.0]]])
    stretched = stretch_intervals(quantiles, np.array([[0.1, 3.0]]))
    np.testing.assert_allclose(stretched, [[[-3.0, -3.0, 0.0, 3.0, 3.0]]])
    np.testing.assert_allclose(quantiles[0, 0], [-2, -1, 0, 1, 2], err_msg="the input must stay as it was")


@pytest.mark.parametrize("wrong_by", [0.3, 1.0, 4.0])
def test_fresh_data_are_covered_as_promised_however_wrong_the_network_was(wrong_by):
    """Fat tails, a width that differs from row to row, and quantiles `wrong_by` times too narrow or too wide."""
    rng = np.random.default_rng(0)
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)

    def draw(n):
        width = np.exp(rng.normal(size=(n, 1)))
        targets = width * rng.standard_t(4, size=(n, 2))
        return wrong_by * width[..., None] * np.array([-2.1, -0.7, 0.0, 0.7, 2.1]) * np.ones((n, 2, 1)), targets

    factors = fit_stretch(*draw(8000), levels)
    quantiles, targets = draw(8000)
    calibrated = stretch_intervals(quantiles, factors)
    for low, high, nominal in ((0, -1, 0.9), (1, -2, 0.5)):
        inside = (calibrated[..., low] <= targets) & (targets <= calibrated[..., high])
        assert inside.mean(axis=0) == pytest.approx([nominal, nominal], abs=0.015)
