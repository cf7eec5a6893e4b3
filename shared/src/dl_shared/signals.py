"""What ends a process from outside: Ctrl-C, and SIGTERM, by which clusters and launchers announce a kill."""

import signal
import threading
from types import FrameType
from typing import Any

Replaced = dict[signal.Signals, Any]
"""Handlers that have been replaced, by signal."""


def replace(handler: Any, *signals: signal.Signals) -> Replaced:
    """Handle signals by a function from now on, until `put_back`; only the main thread can, others change nothing."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, handler) for number in signals}


def put_back(replaced: Replaced) -> None:
    """Handle signals as before `replace`, but for those that are ignored since."""
    for number, handler in replaced.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def ignore_sigterm() -> None:
    """From now on SIGTERM does nothing here: this process is ending anyway, and has still to say why.

    Where a process dies, its launcher ends the others by SIGTERM, soon after they have noticed.
    """
    replace(signal.SIG_IGN, signal.SIGTERM)


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """End as for Ctrl-C.

    Raises:
        KeyboardInterrupt: always.
    """
    raise KeyboardInterrupt
