"""What may vary in a comparison, and its presets; imports no framework, so that --help is instant."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import ClassVar, Literal

from dl_architectures.cnn_compare.names import ARCHITECTURES, DATASETS, VARIANTS
from dl_shared.config import TrainConfig
from dl_shared.ranges import AT_LEAST_1, BELOW_1, NOT_NEGATIVE, POSITIVE, check

ALL = "all"
RESULT, FAILED = "result.json", "failed.txt"  # in the folder of a cell that is finished, or has failed


@dataclass(frozen=True)
class Augmentation:
    """What is done to training images."""

    crop: int
    """Pixels by which an image is shifted at most, in each direction."""
    flip: bool
    """Mirror half of the images."""


# Digits are not mirrored: a mirrored 2 is no digit. Digits and clothes lie in the middle of the image: they shift less.
AUGMENTATIONS = {
    "mnist": Augmentation(crop=2, flip=False),
    "fashion_mnist": Augmentation(crop=2, flip=True),
    "cifar10": Augmentation(crop=4, flip=True),
}


@dataclass(frozen=True)
class Cell:
    """One training of the grid."""

    seed: int
    dataset: str
    architecture: str

    @property
    def folder(self) -> PurePath:
        """Within the run."""
        return PurePath("cells", self.dataset, self.architecture, f"seed-{self.seed}")

    def __str__(self) -> str:
        return f"{self.architecture} on {self.dataset}, seed {self.seed}"


@dataclass(frozen=True, kw_only=True)
class Config(TrainConfig):
    """Options of `dl-cnn-compare train`. One recipe for all cells; the defaults are that for a GPU."""

    changeable: ClassVar[frozenset[str]] = TrainConfig.changeable | {"jobs", "threads"}

    data: str = "hub"
    """`sample`, `hub`, or a folder that holds a folder for each data set, named as the data set."""
    datasets: tuple[str, ...] = DATASETS
    """mnist, fashion_mnist, cifar10."""
    architectures: tuple[str, ...] = (ALL,)
    """lenet, alexnet, vgg11, vgg16, googlenet, resnet18, resnet20, xception; `all` is one of each."""
    width: float = 1.0
    """Channels of every layer, as a share of the paper's, for machines without a GPU; LeNet keeps its own."""
    seeds: int = 3
    """Trainings of each network on each data set; they differ in initial weights and the order of the data."""
    epochs: int = 40
    """Passes over the training images."""
    budget_seconds: float = 0.0
    """Seconds of training for each cell: the fastest of some updates tells how many fit; 0 trains for `epochs`."""
    batch_size: int = 256
    """Images per update."""
    precision: Literal["fp32", "bf16"] = "bf16"

    learning_rate: float = 2e-3
    """AdamW's learning rate at its peak."""
    weight_decay: float = 0.05
    """AdamW's weight decay, of filters and matrices only."""
    warmup: float = 0.2
    """Share of the updates in which the learning rate rises; in the others it falls to zero."""
    label_smoothing: float = 0.1
    """Share of each label spread evenly over all classes, in training only."""
    augment: bool = True
    """Shift training images, and mirror those that mean the same in the mirror."""
    validation_fraction: float = 0.1
    """Share of the training images of each class that are held out to choose the epoch."""
    checkpoint_seconds: float = 60.0
    """Seconds between two checkpoints of a cell; a kill costs no more work than this."""

    jobs: int = 1
    """Cells trained at the same time, each in a process of its own, and on a GPU of its own where there are several."""
    threads: int = 0
    """CPU cores for each of them; 0 shares out what there is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, known in (("datasets", DATASETS), ("architectures", (*VARIANTS, ALL))):
            given = getattr(self, name)
            if unknown := [one for one in given if one not in known]:
                raise ValueError(f"{name} must be of {', '.join(known)}; got {', '.join(unknown)}")
            if not given or len(set(given)) < len(given):
                raise ValueError(f"{name} must name at least one, each once")
        check(self, AT_LEAST_1, "seeds", "jobs")
        check(self, NOT_NEGATIVE, "budget_seconds", "weight_decay", "checkpoint_seconds", "threads")
        check(self, POSITIVE, "learning_rate", "width")
        check(self, BELOW_1, "warmup", "label_smoothing")
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must be between 0 and 1, got {self.validation_fraction}")

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All trainings; the first seed of each comes first, so that there is a whole table early."""
        names = ARCHITECTURES if ALL in self.architectures else self.architectures
        return tuple(
            Cell(seed, dataset, architecture)
            for seed in range(self.seed, self.seed + self.seeds)
            for dataset in self.datasets
            for architecture in names
        )


PRESETS = {
    "full": Config(),
    # Half an hour on two cores for the grid on real images.
    "cpu": Config(width=0.25, seeds=1, batch_size=128, budget_seconds=60.0, learning_rate=3e-3),
    # Minutes on two cores for all of the grid.
    "quick": Config(data="sample", width=0.25, seeds=1, epochs=3, batch_size=64, learning_rate=3e-3),
}
