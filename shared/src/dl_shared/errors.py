"""The exceptions that are told in one line, without a traceback."""


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what is wrong and how to mend it.

    The console scripts print it as `error: ...` and exit with status 2, without a traceback.
    """


class LostWorkerError(RuntimeError):
    """One of several processes that train as one is gone, so that the others cannot go on.

    The console scripts print it as `error: ...`, with the command that resumes the run, and exit with status 1.
    """
