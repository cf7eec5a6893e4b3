"""What the verbs beside `train` can be asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dl_shared.cli import RunOptions
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, SHARE, check
from flax_projects.shakespeare.config import MODELS, ModelName


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(RunOptions):
    """Continue a text with a finished run."""

    prompt: str
    """What the text begins with; it must not be empty."""
    length: int = 500
    """Characters to write."""
    temperature: float = 0.8
    """Below 1 the likely becomes likelier, above 1 less so; 0 is the same as --greedy."""
    top_k: int = 0
    """Draw from the k likeliest characters only; 0 for all."""
    top_p: float = 1.0
    """Draw from the fewest characters that together have this probability."""
    greedy: bool = False
    """Take the likeliest character always."""
    beams: int = 0
    """Search for the likeliest text, keeping this many beginnings of it; 0 draws."""
    samples: int = 1
    """How many texts to write (with --beams, how many of those found to show)."""
    seed: int = 0
    """Fixes what is drawn."""

    def __post_init__(self) -> None:
        if not self.prompt:
            raise ValueError("the prompt is empty; give at least one character")
        check(self, AT_LEAST_1, "length", "samples")
        check(self, NOT_NEGATIVE, "temperature", "top_k", "beams", "seed")
        check(self, SHARE, "top_p")
        defaults = {"temperature": 0.8, "top_k": 0, "top_p": 1.0}
        drawing = [name for name, value in defaults.items() if getattr(self, name) != value]
        if drawing and (self.greedy or self.beams):
            raise ValueError(f"{drawing[0]} is for drawing; leave it out beside greedy and beams")
        if self.greedy and self.beams:
            raise ValueError("give greedy or beams, not both")
        if self.beams and self.samples > self.beams:
            raise ValueError(f"{self.beams} beams find {self.beams} texts, not {self.samples}; give more beams")
        if not self.beams and self.samples > 1 and (self.greedy or self.temperature == 0):
            raise ValueError("greedy writing gives one text only; leave samples out")


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Train the models, or one model for each of two or more texts, under one budget."""

    models: tuple[ModelName, ...] = MODELS
    """Each is trained on each text."""
    data: tuple[str, ...] = ("sample",)
    """`sample`, `hub` or paths; with several, each model also scores the other texts: whose style is it?"""
    preset: Literal["cpu", "quick", "full"] = "cpu"
    """The recipe that all have in common."""
    epochs: int | None = None
    """Passes over the training text (default: the preset's)."""
    seed: int = 0
    """Of every run."""
    output: Path = Path("comparison")
    """Folder for the table, the picture and the page."""
    runs_dir: Path | None = None
    """Where runs are kept (default: $DL_RUNS_DIR, else ./runs)."""
    json: bool = False
    """Print one JSON object on stdout, and everything else on stderr."""

    def __post_init__(self) -> None:
        if not self.models or not self.data:
            raise ValueError("give at least one model and one text")
        if len(set(self.models)) < len(self.models):
            raise ValueError("each model can be given once only")
        check(self, AT_LEAST_1, "epochs")
