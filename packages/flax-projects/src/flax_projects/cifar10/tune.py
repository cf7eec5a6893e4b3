"""A search over the options of a recipe, on validation data."""

import math
from typing import Any

from dl_shared.tasks import cifar10
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from flax_projects.cifar10.config import Config
from flax_projects.cifar10.train import PROJECT, Learner
from flax_projects.devices import training_mesh
from flax_projects.loop import train_epochs

SPACE: Space = {
    "learning_rate": Float(0.01, 0.3, log=True),
    "weight_decay": Float(1e-3, 0.3, log=True),
    "label_smoothing": Float(0.0, 0.3),
    "dropout": Float(0.0, 0.5),
    "cutout": Choice((0, 4, 8, 12)),
}


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config."""
    return tune(
        PROJECT, config, SPACE, objective, direction="maximize", metric="validation accuracy", options=options
    ).summary()


def objective(config: Config, report: Report) -> float:
    """Validation accuracy at the end of training."""
    data = cifar10.load(config.data, seed=config.seed)
    learner = Learner(config, data, training_mesh(config))
    accuracy = math.nan
    for epoch, scores in enumerate(train_epochs(learner), start=1):
        accuracy = scores["accuracy"]
        report(accuracy, step=epoch)  # does not return where training has diverged
    return accuracy
