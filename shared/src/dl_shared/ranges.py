"""What numbers options may be: the checks of `__post_init__`, in a line each, and the same words everywhere."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Numbers that an option may be.

    Attributes:
        words: what follows "must".
        allows: whether it may be this number; NaN is never allowed, since it compares with none.
    """

    words: str
    allows: Callable[[float], bool]


AT_LEAST_1 = Range("be at least 1", lambda value: value >= 1)
NOT_NEGATIVE = Range("not be negative", lambda value: value >= 0)
POSITIVE = Range("be above 0", lambda value: value > 0)
BELOW_1 = Range("be at least 0 and below 1", lambda value: 0 <= value < 1)
SHARE = Range("be above 0 and at most 1", lambda value: 0 < value <= 1)


def check(options: object, allowed: Range, *names: str) -> None:
    """Refuse options that are out of range; None, an option that was not given, is in every range.

    Args:
        options: a dataclass.
        allowed: the range.
        names: of its fields, each a number, or a tuple of one or more.

    Raises:
        ValueError: for the first that is not.
    """
    for name in names:
        given = getattr(options, name)
        values = given if isinstance(given, tuple) else (given,)
        if not values or not all(value is None or allowed.allows(value) for value in values):
            raise ValueError(f"{name} must {allowed.words}, got {given}")
