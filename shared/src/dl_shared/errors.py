"""The exceptions that are told in one line, without a traceback."""

LONGEST = 1000  # letters of a message


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what is wrong and how to mend it.

    The console scripts print it as `error: ...` and exit with status 2, without a traceback. What a message quotes of
    the input is shown so that it can do nothing to a terminal, and is cut where it is long.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        line = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
        if len(line) > LONGEST:
            line = f"{line[: LONGEST * 3 // 4]} ... {line[-LONGEST // 4 :]}"
        super().__init__(line)


class LostWorkerError(RuntimeError):
    """One of several processes that train as one is gone, so that the others cannot go on.

    The console scripts print it as `error: ...`, with the command that resumes the run, and exit with status 1.
    """
