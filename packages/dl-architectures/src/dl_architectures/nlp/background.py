"""Work in a thread of its own, followed from another."""

import queue
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")

POLL_SECONDS = 0.05  # between two questions whether the work is cancelled


class StoppedError(Exception):
    """Raised in the work when nobody follows it any more."""


def followed(
    work: Callable[[Callable[[Any], None]], Result], cancelled: Callable[[], bool]
) -> Generator[Any, None, Result | None]:
    """Run `work(tell)` in a thread, and yield what it tells.

    `cancelled` is asked in the thread of the caller, which may be the only one that can tell. The work learns of it, or
    of the generator being closed, the next time that it tells something, by `StoppedError`; `tell(None)` only asks.

    Args:
        work: to be done.
        cancelled: whether to stop.

    Returns:
        what the work returns; None if it was cancelled. What the work raises is raised.
    """
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    ended = object()  # told last
    results: list[Result] = []
    errors: list[Exception] = []
    gone = threading.Event()

    def tell(event: Any) -> None:
        if gone.is_set():
            raise StoppedError
        if event is not None:
            told.put(event)

    def run() -> None:
        try:
            results.append(work(tell))
        except StoppedError:
            pass
        except Exception as error:  # whatever it is, it is raised where it can be told
            errors.append(error)
        finally:
            told.put(ended)

    threading.Thread(target=run, daemon=True).start()
    try:
        while not cancelled():
            try:
                event = told.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if event is ended:
                break
            yield event
        else:
            return None
    finally:
        gone.set()
    if errors:
        raise errors[0]
    return results[0]
