"""What may vary in a run of accelerate-houses, and its presets."""

from dataclasses import dataclass

from accelerate_projects.config import AccelerateConfig

# Imports nothing of features.py, so that --help is instant; a test compares the two.
GROUPS = ("sizes", "numbers", "grades", "kinds", "totals", "ages", "presence", "season", "products", "places")


@dataclass(frozen=True, kw_only=True)
class Config(AccelerateConfig):
    """Options of `accelerate-houses train`."""

    epochs: int = 20
    """Validations; between two of them lie `passes` passes over the training houses."""
    passes: int = 50
    """Over the training houses, in each epoch."""
    batch_size: int = 4096
    """Houses per update; with as many as there are, or more, descent goes to the optimum of ridge regression."""

    features: tuple[str, ...] = GROUPS
    """Groups of columns, of those in features.py."""
    trim: float = 0.01
    """Share of the houses whose sizes are taken to be no larger than those of the others, lest a few giants decide."""
    penalty: float = 0.0
    """On the squared weights, as alpha of scikit-learn's Ridge; 0 lets leave-one-out on the training houses choose."""
    learning_rate: float = 0.0
    """0 takes the largest that is safe: one over the curvature of the loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.trim < 0.5:
            raise ValueError(f"trim must be at least 0 and below 0.5, got {self.trim}")
        if unknown := [name for name in self.features if name not in GROUPS]:
            raise ValueError(f"features must be of {', '.join(GROUPS)}, got {', '.join(unknown)}")
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError("features must name one group or more, each once")
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, got {self.passes}")
        for name in ("penalty", "learning_rate"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")


PRESETS = {
    "full": Config(),
    "quick": Config(),  # seconds, as it is
}
