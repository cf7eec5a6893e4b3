"""What the verbs beside `train` can be asked."""

from dataclasses import dataclass
from pathlib import Path

from dl_shared.cli import RunOptions
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check
from dl_shared.tasks import options
from lightning_projects.imdb.config import Preprocess


@dataclass(frozen=True, kw_only=True)
class AttentionOptions(RunOptions):
    """Show what the model attends to, one page for each review, and test whether that decides."""

    text: tuple[str, ...] = ()
    """Reviews to look at."""
    index: tuple[int, ...] = ()
    """Numbers of reviews in the test part, from 0."""
    data: str | None = None
    """Whose test part: `sample`, `hub` or a path (default: what the run was trained on)."""
    max_length: int = 0
    """Tokens to look at (default: as many as in training)."""
    reviews: int = 40
    """Test reviews for the deletion test; 0 leaves it out."""
    draws: int = 5
    """Random orders of deletion for each review."""
    seed: int = 0
    """Chooses the reviews of the deletion test, and its random orders."""
    output: Path | None = None
    """Folder for the pages (default: RUN/attention)."""

    def __post_init__(self) -> None:
        if not self.text and not self.index:
            raise ValueError("give --text or --index")
        check(self, NOT_NEGATIVE, "max_length", "reviews", "seed")
        check(self, AT_LEAST_1, "draws")


@dataclass(frozen=True, kw_only=True)
class CompareOptions(options.CompareOptions):
    """Train several models, or one with several kinds of preprocessing, under one recipe."""

    models: tuple[str, ...] = ()
    """Names as for --model (default: that of the recipe)."""
    preprocessings: tuple[Preprocess, ...] = ()
    """Each model is trained with each (default: that of the recipe)."""

    def __post_init__(self) -> None:
        for name in ("models", "preprocessings"):
            if len(set(getattr(self, name))) < len(getattr(self, name)):
                raise ValueError(f"{name} can be given once each")
