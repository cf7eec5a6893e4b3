"""Options of the verbs; imports nothing heavy, so that --help is instant."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from dl_architectures.nlp.names import SummaryLength, Task
from dl_shared.config import Device
from dl_shared.ranges import POSITIVE, check


@dataclass(frozen=True, kw_only=True)
class ToolOptions:
    """Which models may be used, and where."""

    models_dir: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="DIR")] = ()
    """Folders under which models may be chosen by their path (default: `models` in the user's data folder)."""
    memory: float | None = None
    """Gigabytes that loaded models may take together (default: half of the machine's memory)."""
    device: Device = "auto"
    """Where to compute."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        check(self, POSITIVE, "memory")


@dataclass(frozen=True, kw_only=True)
class PageOptions:
    """Where the page is served, and where feedback is kept."""

    database: Annotated[str | None, tyro.conf.arg(metavar="URL")] = None
    """Where feedback is kept: sqlite:///FILE or postgresql://USER@HOST/NAME (default: in the user's data folder)."""
    address: str = "localhost"
    """Where to listen. Whoever can reach another address than localhost can use the tool and read the feedback."""
    port: int = 8501
    """Where the page is served; 0 takes any port that is free."""
    browser: bool = True
    """Open the page in the browser."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be from 0 to 65535, got {self.port}")


@dataclass(frozen=True, kw_only=True)
class OpenOptions(ToolOptions, PageOptions):
    """Open the page."""

    def __post_init__(self) -> None:
        ToolOptions.__post_init__(self)
        PageOptions.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class RunTaskOptions(ToolOptions):
    """Do one task, and print the answer while it is made."""

    task: Annotated[Task, tyro.conf.Positional]
    """What to do."""
    text: str | None = None
    """The text, the message or the prompt; `-` reads it from standard input."""
    file: Path | None = None
    """A file to read it from instead."""
    model: str | None = None
    """An id of `dl-nlp-tool models`, or a folder (default: the embedded model)."""
    question: str | None = None
    """Of `question`: what to ask about the text."""
    system: str = ""
    """Of `chat`: what the assistant is told first."""
    length: SummaryLength = "medium"
    """Of `summary`."""
    count: int = 10
    """Of `next-word`: how many words."""
    max_tokens: int = 120
    """Of `generate` and `chat`: tokens at most."""
    temperature: float = 0.8
    """Of `generate` and `chat`; 0 always takes the likeliest token."""
    top_p: float = 0.95
    """Of `generate` and `chat`: draw from the likeliest tokens that together have this probability."""
    steps: int = 20
    """Of `image`: steps of denoising."""
    guidance: float = 4.0
    """Of `image`: how closely to follow the prompt."""
    size: int | None = None
    """Of `image`: pixels of a side (default: what the model was trained on)."""
    output: Path = Path("picture.png")
    """Of `image`: the file to write."""
    seed: int | None = None
    """Seed of what is drawn at random (default: a new one, which is told)."""


@dataclass(frozen=True, kw_only=True)
class ModelsOptions(ToolOptions):
    """List models, fetch one from the hub, or remove one from this machine."""

    action: Annotated[Literal["list", "download", "remove"], tyro.conf.Positional] = "list"
    """What to do."""
    id: Annotated[str | None, tyro.conf.Positional, tyro.conf.arg(metavar="OWNER/NAME")] = None
    """Of `download` and `remove`: a model of the hub."""
    task: Task | None = None
    """Of `list`: models for this task only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.action == "list") != (self.id is None):
            wanted = "takes no id" if self.action == "list" else "wants the id of a model, such as owner/name"
            raise ValueError(f"models {self.action} {wanted}")
