"""A lock taken in turns."""

import threading
from collections import deque


class Turns:
    """A lock that goes to whoever has waited longest.

    `threading.Lock` goes to whoever asks at the right moment. An answer that lets it go after each token, only to take
    the next one, would nearly always get it back at once, and another session would wait for the end of the text.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        ticket.acquire()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()  # handed over: it is held all the while
            else:
                self._held = False

    def pass_on(self) -> None:
        """Let the others who wait have their turns; for whoever has it now, and goes on."""
        self.__exit__()
        self.__enter__()
