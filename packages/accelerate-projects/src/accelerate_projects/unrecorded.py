"""Trainings that keep no run, or are one of many: in one process each."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dl_shared import unrecorded
from dl_shared.errors import InputError
from dl_shared.runs import Run


@contextmanager
def unrecorded_run() -> Iterator[Run]:
    """Where a loop that wants a run leaves no trace and says nothing.

    Raises:
        InputError: in one of several processes that train as one.
    """
    refuse_several()
    with unrecorded.unrecorded_run() as run:
        yield run


def refuse_several() -> None:
    """For verbs that train one network after another.

    Raises:
        InputError: in one of several processes that train as one.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("this verb trains one network after another: start it without `accelerate launch`")
