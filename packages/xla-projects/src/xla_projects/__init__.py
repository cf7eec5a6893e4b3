"""Projects in PyTorch/XLA, and recurrent layers for it: `from xla_projects import GRU, LSTM`."""

from typing import Any

__all__ = ["GRU", "LSTM"]


def __getattr__(name: str) -> Any:
    """Import torch only for those who ask for a layer: the console scripts answer `--help` without it."""
    if name in __all__:
        from xla_projects import recurrent

        return getattr(recurrent, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
