"""Trainings that keep no run, and verbs that train many networks: both in a single process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dl_shared import unrecorded
from dl_shared.errors import InputError
from dl_shared.runs import Run


@contextmanager
def unrecorded_run() -> Iterator[Run]:
    """A stand-in for a run, for loops that need one: it keeps nothing and says nothing.

    Raises:
        InputError: in one of several processes that train as one.
    """
    refuse_several()
    with unrecorded.unrecorded_run() as run:
        yield run


def refuse_several() -> None:
    """Refuse a verb that trains one network after another in one of several processes.

    Raises:
        InputError: if `accelerate launch` has started several.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("this verb trains one network after another: start it without `accelerate launch`")
