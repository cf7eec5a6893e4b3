"""The tool itself: finds the model for a request, has it loaded, and hands on what it answers."""

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from dl_architectures.nlp import catalogue, names
from dl_architectures.nlp.answers import Event, Finished, Loading
from dl_architectures.nlp.api import Memory, Model, ModelError, never
from dl_architectures.nlp.engine import Engine
from dl_architectures.nlp.folders import LARGE, Contents, confined, contents, licence, measure, models_under
from dl_architectures.nlp.hub import Hub, check_id
from dl_architectures.nlp.names import Source, Task
from dl_architectures.nlp.requests import Request
from dl_architectures.nlp.shelf import Shelf, default_budget
from dl_architectures.nlp.sizes import bytes_in_words
from dl_shared.config import Device
from dl_shared.errors import InputError

POLL_SECONDS = 0.1
REPORT_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Found:
    """A model that is on this machine."""

    model: Model
    folder: Path | None
    """None for a method without weights."""


class LocalTool:
    """Answers requests with models on this machine; see `api.Tool`.

    Args:
        roots: folders under which models may be chosen by their path.
        budget: bytes that loaded models may take; half of the machine's memory unless given.
        device: where to compute.
        hub: where models come from.
    """

    def __init__(
        self,
        *,
        roots: Sequence[Path] = (),
        budget: int | None = None,
        device: Device = "auto",
        hub: Hub | None = None,
    ) -> None:
        self._roots = tuple(root.resolve() for root in roots)
        self._shelf = Shelf(default_budget() if budget is None else budget)
        self._device, self._hub = device, hub or Hub()

    @property
    def roots(self) -> Sequence[Path]:
        return self._roots

    def models(self, task: Task | None = None) -> tuple[Model, ...]:
        found = [*_embedded(), *self._of_folders(), *self._of_hub()]
        return tuple(model for model in found if task is None or task in model.tasks)

    def answer(
        self, request: Request, *, model: str | None = None, cancelled: Callable[[], bool] = never
    ) -> Iterator[Event]:
        found = self._find(request.task, model)
        name = found.model.id
        try:
            engine = yield from self._engine(found, cancelled)
            if engine is None:
                yield Finished(answer=None, model=name, seconds=0.0, cancelled=True)
                return
            start = time.perf_counter()
            outcome = yield from engine.answer(request, cancelled)
        except InputError:
            raise
        except Exception as error:  # whatever a model may raise, the person gets a line, and the log the rest
            log.exception("%s failed", name)
            reason = next(iter(str(error).splitlines()), "")[:200]
            raise ModelError(f"{name} failed ({type(error).__name__}: {reason}); choose another model") from error
        yield Finished(
            answer=outcome.answer,
            model=name,
            seconds=time.perf_counter() - start,
            cancelled=outcome.cancelled,
            notes=outcome.notes,
        )

    def look_up(self, hub_id: str) -> Model:
        return self._hub.look_up(hub_id)

    def download(self, hub_id: str, *, cancelled: Callable[[], bool] = never) -> Iterator[Loading]:
        return self._hub.download(hub_id, cancelled)

    def remove(self, hub_id: str) -> int:
        check_id(hub_id)
        self._shelf.drop(hub_id)
        return self._hub.remove(hub_id)

    def memory(self) -> Memory:
        return self._shelf.memory()

    def _find(self, task: Task, name: str | None) -> _Found:
        """The model to answer with.

        Raises:
            InputError: if it is not here, not allowed, or not for this task.
        """
        if name is None:
            name = next((model.id for model in self.models(task) if model.ready), None)
            if name is None:
                raise self._nothing_for(task)
        found = self._on_this_machine(name)
        if task not in found.model.tasks:
            able = ", ".join(names.TITLES[known].lower() for known in found.model.tasks)
            raise InputError(f"{name} does not do {names.TITLES[task].lower()}, but {able}; choose another model")
        return found

    def _nothing_for(self, task: Task) -> InputError:
        ours, *others = self.models(task)
        fetch = next(model.id for model in others if model.source == "hub")
        return InputError(
            f"no model for {names.TITLES[task].lower()} is on this machine; fetch one with: "
            f"dl-nlp-tool models download {fetch}; or make the embedded one with: {ours.remedy}"
        )

    def _on_this_machine(self, name: str) -> _Found:
        if name in catalogue.EMBEDDED:
            found = next(model for model in _embedded() if model.id == name)
            if not found.ready:
                raise InputError(f"this installation lacks {name}; make it with: {found.remedy}")
            return _Found(found, catalogue.FOLDERS.get(name))
        if Path(name).is_absolute():
            folder = confined(Path(name), self._roots)
            return _Found(_described(folder, str(folder), "folder"), folder)
        check_id(name)
        fetched = self._hub.folder(name)
        if fetched is None:
            raise InputError(f"{name} is not on this machine; fetch it with: dl-nlp-tool models download {name}")
        return _Found(_described(fetched, name, "hub"), fetched)

    def _of_folders(self) -> Iterator[Model]:
        for folder in models_under(self._roots):
            with contextlib.suppress(InputError):  # of a model for something else, or a damaged one
                yield _described(folder, str(folder), "folder")

    def _of_hub(self) -> list[Model]:
        """The recommended models, and what else was fetched and can be used."""
        known = {model.id: model for model in catalogue.RECOMMENDED}
        for name in self._hub.fetched():
            folder = self._hub.folder(name)
            with contextlib.suppress(InputError):  # of a model for something else, or fetched in part
                if folder is not None:
                    here = _described(folder, name, "hub")
                    said = known.get(name, here)
                    known[name] = replace(here, title=said.title, about=said.about)
        return list(known.values())

    def _engine(self, found: _Found, cancelled: Callable[[], bool]) -> Generator[Loading, None, Engine | None]:
        """The model in memory, once it is; None if cancelled, while it goes on loading for whoever asks next."""
        name = found.model.id
        future = self._shelf.take(name, _bytes_needed(found.model), lambda: self._load(found))
        start = told = time.monotonic()
        while not future.done():
            if cancelled():
                return None
            if (now := time.monotonic()) - told > REPORT_SECONDS:
                told = now
                size = f", {bytes_in_words(found.model.bytes)}" if found.model.bytes else ""
                yield Loading(text=f"loading {name}{size}: {now - start:.0f} s")
            wait([future], timeout=POLL_SECONDS)
        return future.result()

    def _load(self, found: _Found) -> Engine:
        if found.folder is None or found.model.id == names.SENTIMENT_MODEL:
            from dl_architectures.nlp.methods import Method

            return Method(found.model.id, found.folder)
        from dl_architectures.devices import find_device
        from dl_architectures.nlp.loading import load

        return load(found.model.id, found.folder, contents(found.folder), find_device(self._device))


def _bytes_needed(model: Model) -> int:
    """Of memory, once it is loaded; those of the wider of its two types, as the device is not yet known."""
    parameters, size = model.parameters or 0, model.bytes or 0
    return size if parameters > LARGE else max(size, 4 * parameters)


def _embedded() -> list[Model]:
    """The models of the package; those whose weights are missing or damaged are not ready."""
    found = []
    for model in catalogue.EMBEDDED.values():
        folder = catalogue.FOLDERS.get(model.id)
        if folder is not None:
            try:
                size, parameters = measure(folder.rglob("*.safetensors"))
            except InputError:
                size, parameters = 0, 0
            if size:
                model = replace(model, bytes=size, parameters=parameters, licence=licence(folder))
            else:
                model = replace(model, ready=False, remedy=catalogue.remedy(model.id))
        found.append(model)
    return found


def _described(folder: Path, id: str, source: Source) -> Model:
    """A folder's model in the words of the list.

    Raises:
        InputError: if it is none.
    """
    found = _contents(folder, folder.stat().st_mtime_ns)
    return Model(
        id=id,
        source=source,
        tasks=found.tasks,
        title=Path(id).name,
        licence=found.licence,
        bytes=found.bytes,
        parameters=found.parameters,
        pixels=found.pixels,
    )


@lru_cache(maxsize=256)
def _contents(folder: Path, _: int) -> Contents:
    """`contents`, kept for a folder and the time when it changed."""
    return contents(folder)
