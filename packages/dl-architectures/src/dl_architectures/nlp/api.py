"""The interface of the tasks: what a page or a terminal may call. Imports nothing heavy.

`tool.LocalTool` implements `Tool`; tests of the page use another that answers at once. What may be asked is in
`requests`, what is answered in `answers`.

    tool = LocalTool()
    for event in tool.answer(Generate(text="Once upon a time")):
        match event:
            case Piece(text=text): print(text, end="")

Whatever goes wrong, a caller sees `InputError` (or `ModelError`, which is one); its message is a line for the person
who asked.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from dl_architectures.nlp.answers import Event, Loading
from dl_architectures.nlp.names import Source, Task
from dl_architectures.nlp.requests import Request
from dl_shared.errors import InputError


class ModelError(InputError):
    """A model cannot be read, or failed while it answered; the message names it and what else to try."""


def never() -> bool:
    """The default of `cancelled`: nobody stops the answer."""
    return False


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model that can be chosen for a task."""

    id: str
    """`embedded:...`, a hub id such as `owner/name`, or the absolute path of a folder."""
    source: Source
    tasks: tuple[Task, ...]
    title: str
    """Short, for a list."""
    about: str = ""
    """One sentence: what it is good for, or what it cannot do."""
    licence: str = "not stated"
    bytes: int | None = None
    """Of the files that are read; None where it is not known."""
    parameters: int | None = None
    pixels: int | None = None
    """Of each side of the pictures that it was made for; None where it is not known, or draws none."""
    ready: bool = True
    """On this machine. Another must be had first: downloaded from the hub, or by the `remedy`."""
    remedy: str = ""
    """The command that makes an embedded model which this installation lacks."""
    small: bool = False
    """One of the embedded models, that should be labelled as small; or a classical method without weights."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What the loaded models take."""

    models: tuple[tuple[str, int], ...]
    """Ids and bytes of weights, the one used last first."""
    budget: int
    """In bytes; the models used least recently leave when it is reached."""


@runtime_checkable
class Tool(Protocol):
    """Answers requests. One tool serves all sessions: its methods may be called from several threads at once."""

    @property
    def roots(self) -> Sequence[Path]:
        """Folders under which models may be chosen by their path; no other path is opened."""
        ...

    def models(self, task: Task | None = None) -> tuple[Model, ...]:
        """The models for a task, or all: embedded ones first, then folders, then the hub's. Asks no network.

        The first that is ready is what is taken where no model is named.
        """
        ...

    def answer(
        self, request: Request, *, model: str | None = None, cancelled: Callable[[], bool] = never
    ) -> Iterator[Event]:
        """Answer a request, in events of which `Finished` is the last.

        Nothing is done before the first event is asked for. `cancelled` is asked between tokens and steps, and while a
        model loads; a text that was begun is then kept as it is. An iterator that is dropped half-way holds nothing up.
        A model that is not on this machine is not downloaded: that is for `download`.

        Args:
            request: what to do.
            model: an id of `models`, the path of a folder under one of the `roots`, or the id of a downloaded model.
            cancelled: whether to stop.

        Raises:
            InputError: from the iterator, if the request does not fit the model or the model is not to be had.
        """
        ...

    def look_up(self, hub_id: str) -> Model:
        """What the hub says of a model: licence, size, and the tasks it can do here.

        Raises:
            InputError: if there is no network or no such model, or if it cannot be read without running its code.
        """
        ...

    def download(self, hub_id: str, *, cancelled: Callable[[], bool] = never) -> Iterator[Loading]:
        """Fetch a model from the hub, with progress; files that were fetched whole before a stop stay.

        Raises:
            InputError: from the iterator, as `look_up`; or if the disk is full.
        """
        ...

    def remove(self, hub_id: str) -> int:
        """Delete a downloaded model from this machine; returns the bytes freed.

        Raises:
            InputError: if it is not there.
        """
        ...

    def memory(self) -> Memory:
        """What is loaded now."""
        ...
