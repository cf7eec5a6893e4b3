"""What may vary in a run of accelerate-houses, and its presets."""

from dataclasses import dataclass
from typing import ClassVar

from accelerate_projects.config import AccelerateConfig
from dl_shared.config import Device
from dl_shared.paths import make_absolute
from dl_shared.ranges import AT_LEAST_1, NOT_NEGATIVE, check

# Those of features.py, which is not imported so that --help is instant; a test compares the two.
GROUPS = ("sizes", "numbers", "grades", "kinds", "totals", "ages", "presence", "season", "products", "places")


@dataclass(frozen=True, kw_only=True)
class Config(AccelerateConfig):
    """Options of `accelerate-houses train`."""

    epochs: int = 20
    """Each is `passes` passes over the training houses, and a validation."""
    passes: int = 50
    """Passes over the training houses in each epoch."""
    batch_size: int = 4096
    """Houses per update; all of them if there are no more, and descent then ends at the optimum of the loss."""

    features: tuple[str, ...] = GROUPS
    """Groups of input columns, see features.py."""
    trim: float = 0.01
    """Share of the houses, the largest, whose sizes are cut to that of the largest of the others."""
    threshold: float = 0.15
    """Error of the log price above which the loss is linear (Huber); 0 squares all errors, as ridge regression does."""
    margin: float | None = 0.2
    """How far a prediction may lie beyond the log prices paid in the neighbourhood; None for no limit."""
    penalty: float = 0.0
    """Of the squared weights, as scikit-learn's alpha; 0 chooses it by cross-validation of the training houses."""
    learning_rate: float = 0.0
    """Of gradient descent; 0 takes the largest that is safe, one over the largest curvature of the loss."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.trim < 0.5:
            raise ValueError(f"trim must be at least 0 and below 0.5, got {self.trim}")
        if unknown := [name for name in self.features if name not in GROUPS]:
            raise ValueError(f"features must be of {', '.join(GROUPS)}, got {', '.join(unknown)}")
        if not self.features or len(set(self.features)) < len(self.features):
            raise ValueError("features must name one group or more, each once")
        check(self, AT_LEAST_1, "passes")
        check(self, NOT_NEGATIVE, "threshold", "margin", "penalty", "learning_rate")


PRESETS = {
    "full": Config(),
    "quick": Config(),  # seconds, as it is
}


FEATURE_SETS = {
    "as they are": ("sizes", "numbers", "grades", "kinds"),
    "made": tuple(name for name in GROUPS if name != "places"),
    "all": GROUPS,
}
"""Groups of columns among which the inner folds of a comparison choose."""

MODELS = ("linear", "ridge", "lasso", "elastic_net", "kernel", "boosting")


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Options of `accelerate-houses compare`."""

    verb: ClassVar[str] = "compare"
    changeable: ClassVar[frozenset[str]] = frozenset({"device"})

    data: str = "hub"
    """`sample`, or Kaggle's train.csv or the folder that holds it."""
    models: tuple[str, ...] = MODELS
    """Models to compare and to blend."""
    feature_sets: tuple[str, ...] = ("made", "all")
    """Sets of columns among which the inner folds choose."""
    folds: int = 10
    """Outer folds, which score: each house is predicted once, by models that were chosen and fitted without it."""
    inner_folds: int = 5
    """Folds of the houses outside an outer fold; they choose options, columns and the weights of the blend."""
    updates: int = 1000
    """Updates of the loop that trains the linear model."""
    trim: float = 0.01
    """As in `train`."""
    seed: int = 0
    """Fixes the folds."""
    device: Device = "auto"
    """Where the linear model is trained."""

    def __post_init__(self) -> None:
        if self.data not in ("sample", "hub"):
            make_absolute(self, "data")
        for name, known in (("models", MODELS), ("feature_sets", tuple(FEATURE_SETS))):
            given = getattr(self, name)
            if not given or len(set(given)) < len(given) or not set(given) <= set(known):
                raise ValueError(f"{name} must be some of {', '.join(known)}, each once; got {', '.join(given)}")
        for name, least in (("folds", 2), ("inner_folds", 2), ("updates", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0 <= self.trim < 0.5:
            raise ValueError(f"trim must be at least 0 and below 0.5, got {self.trim}")


COMPARE_PRESETS = {
    "full": CompareConfig(),
    "quick": CompareConfig(folds=3, inner_folds=3, feature_sets=("all",)),
}
