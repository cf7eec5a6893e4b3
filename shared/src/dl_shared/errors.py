"""The one exception that means: the user's input is wrong."""


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what is wrong and how to mend it.

    The console scripts print it as `error: ...` and exit with status 2, without a traceback.
    """
