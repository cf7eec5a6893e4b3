"""Trainings that differ in the labels that they use, and in their initial weights."""

from dl_shared.tasks import cifar10_comparison
from dl_shared.tasks.cifar10_comparison import Row
from dl_shared.tasks.options import CompareLabelsOptions
from xla_projects.cifar10.config import Config
from xla_projects.cifar10.train import train


def compare_labels(config: Config, options: CompareLabelsOptions) -> list[Row]:
    """Train on shares of the labels, from the backbone and from scratch; see `cifar10_comparison.compare_labels`.

    Raises:
        InputError: if one of them cannot be trained.
    """
    return cifar10_comparison.compare_labels(train, config, options)
