"""Paths as people type them; imports nothing heavy, so that --help is instant."""

from pathlib import Path

from dl_shared.errors import InputError


def user_path(text: str | Path) -> Path:
    """The path that a user typed, with the home folder in the place of `~`.

    Raises:
        InputError: if it begins with the name of a user who is not there.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise InputError(
            f"{text} begins with a user who is not there; for a file of that name write ./{text}"
        ) from None


def make_absolute(options: object, *names: str) -> None:
    """Make paths absolute, so that a run can be resumed from another folder.

    Args:
        options: a frozen dataclass, in its `__post_init__`.
        names: of its fields that hold a path as a person types it; an empty one, or None, stays as it is.

    Raises:
        InputError: as `user_path`.
    """
    for name in names:
        if path := getattr(options, name):
            object.__setattr__(options, name, str(user_path(path).absolute()))
