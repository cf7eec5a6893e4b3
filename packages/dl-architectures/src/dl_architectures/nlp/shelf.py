"""Loaded models, shared between sessions, within a budget of memory."""

import gc
import os
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future

from dl_architectures.nlp.api import Memory
from dl_architectures.nlp.engine import Engine
from dl_architectures.nlp.sizes import bytes_in_words
from dl_shared.errors import InputError

WAIT_SECONDS = 60.0  # for answers in progress to end, when the models they use must leave
_PAUSE_SECONDS = 0.05


def default_budget() -> int:
    """Half of the machine's memory, in bytes."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


class Shelf:
    """Loads each model once, in a thread of its own, and lets the one used least recently go when room is needed.

    A model that leaves while it answers stays in memory until the answer ends; its bytes count until then.

    Args:
        budget: bytes that the weights of all models may take.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._mutex = threading.Lock()
        self._engines: OrderedDict[str, Engine] = OrderedDict()  # the one used last at the end
        self._futures: dict[str, Future[Engine]] = {}
        self._reserved: dict[str, int] = {}
        self._alive: list[tuple[weakref.ref[Engine], int]] = []

    def take(self, name: str, need: int, load: Callable[[], Engine]) -> Future[Engine]:
        """A model, at once if it is loaded, else when `load` has done it, for whoever asks.

        Args:
            name: of the model.
            need: bytes that it will take.
            load: reads it.

        Raises:
            InputError: if it is larger than the budget. The future raises what `load` raises, or InputError if models
                that are answering leave no room for too long.
        """
        if need > self.budget:
            raise InputError(
                f"{name} takes {bytes_in_words(need)}, and models may take {bytes_in_words(self.budget)} together; "
                "choose a smaller one, or give them more memory"
            )
        with self._mutex:
            if name in self._engines:
                self._engines.move_to_end(name)
                done: Future[Engine] = Future()
                done.set_result(self._engines[name])
                return done
            if name not in self._futures:
                future = self._futures[name] = Future()
                threading.Thread(target=self._load, args=(name, need, load, future), daemon=True).start()
            return self._futures[name]

    def drop(self, name: str) -> None:
        """Let a model go, if it is there."""
        with self._mutex:
            self._engines.pop(name, None)
        gc.collect()

    def memory(self) -> Memory:
        """What is loaded."""
        with self._mutex:
            models = tuple((name, engine.bytes) for name, engine in reversed(self._engines.items()))
        return Memory(models=models, budget=self.budget)

    def _load(self, name: str, need: int, load: Callable[[], Engine], future: "Future[Engine]") -> None:
        try:
            self._make_room(name, need)
            engine = load()
            with self._mutex:
                self._engines[name] = engine
                self._alive.append((weakref.ref(engine), engine.bytes))
                self._forget(name)
            future.set_result(engine)
        except BaseException as error:
            with self._mutex:
                self._forget(name)
            future.set_exception(error)

    def _forget(self, name: str) -> None:
        del self._futures[name]
        self._reserved.pop(name, None)

    def _make_room(self, name: str, need: int) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            with self._mutex:
                while self._engines and self._used() + need > self.budget:
                    self._engines.popitem(last=False)
                    gc.collect()  # a network may hold itself through a cycle
                if self._used() + need <= self.budget:
                    self._reserved[name] = need
                    return
            if time.monotonic() > deadline:
                raise InputError(f"models that are answering leave no room for {name}; try again when they are done")
            time.sleep(_PAUSE_SECONDS)

    def _used(self) -> int:
        self._alive = [(engine, size) for engine, size in self._alive if engine() is not None]
        return sum(size for _, size in self._alive) + sum(self._reserved.values())
