"""The exceptions that are told in one line, without a traceback, and how that line is made."""

from collections.abc import Iterable

LONGEST = 1000  # letters of a message


def one_line(message: str) -> str:
    """A message as one line that can do nothing to a terminal, cut in its middle where it is long."""
    line = " ".join(message.split())
    line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST * 3 // 4 - 5]} ... {line[-LONGEST // 4 :]}"


def few(names: Iterable[object], most: int = 5) -> str:
    """The first of some names, and how many more there are."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what is wrong and how to mend it.

    The console scripts print it as `error: ...` and exit with status 2, without a traceback. It is made `one_line`, so
    that a message may quote whatever the input holds and whatever libraries say of it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


class LostWorkerError(RuntimeError):
    """One of several processes that train as one is gone, so that the others cannot go on.

    The console scripts print it as `error: ...`, with the command that resumes the run, and exit with status 1.
    """
