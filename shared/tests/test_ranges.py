"""Options out of range are refused in the words that say what they may be."""

import math
from types import SimpleNamespace

import pytest

from dl_shared.ranges import AT_LEAST_1, BELOW_1, NOT_NEGATIVE, POSITIVE, SHARE, check


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (AT_LEAST_1, (1, 7), (0, -1, math.nan)),
        (NOT_NEGATIVE, (0, 0.5), (-1e-9, math.nan)),
        (POSITIVE, (1e-9, 3), (0, -1, math.nan)),
        (BELOW_1, (0, 0.99), (-0.1, 1, math.nan)),
        (SHARE, (0.01, 1), (0, 1.01, math.nan)),
    ],
)
def test_numbers_are_allowed_up_to_the_limits_of_their_range(allowed, inside, outside):
    check(SimpleNamespace(given=inside, absent=None), allowed, "given", "absent")
    for number in outside:
        for given in (number, (inside[0], number)):
            with pytest.raises(ValueError, match=f"^given must {allowed.words}, got "):
                check(SimpleNamespace(given=given), allowed, "given")


def test_one_number_or_more_must_be_given():
    with pytest.raises(ValueError, match=r"widths must be at least 1, got \(\)"):
        check(SimpleNamespace(widths=()), AT_LEAST_1, "widths")
