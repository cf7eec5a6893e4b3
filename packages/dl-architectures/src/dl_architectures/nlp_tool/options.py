"""What may be said when the page is opened; imports nothing heavy."""

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """Where the page is served, and where feedback is kept."""

    database: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """Of the feedback: sqlite:///FILE or postgresql://USER@HOST/NAME (default: a file in the user's data folder)."""
    address: str = "localhost"
    """Where to listen. Whoever can reach another address than localhost can use the tool and read the feedback."""
    port: int = 8501
    """Of the page; 0 takes any that is free."""
    browser: bool = True
    """Open the page in the browser."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, got {self.port}")
