"""A search over the options of a recipe, on validation data."""

import math
from typing import Any

from dl_shared.tasks.stocks import load_data
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from flax_projects.devices import training_mesh
from flax_projects.loop import train_epochs
from flax_projects.stocks.config import Config
from flax_projects.stocks.train import PROJECT, Learner

SPACE: Space = {
    "learning_rate": Float(1e-3, 3e-2, log=True),
    "weight_decay": Float(1e-3, 1.0, log=True),
    "dropout": Float(0.0, 0.4),
    "width": Choice((16, 32, 64)),
    "layers": Choice((1, 2, 3)),
    "normalization": Choice(("revin", "returns")),
    "positions": Choice(("rotary", "learned")),
}


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config."""
    return tune(
        PROJECT,
        config,
        SPACE,
        objective,
        direction="minimize",
        metric="validation pinball loss",
        options=options,
    ).summary()


def objective(config: Config, report: Report) -> float:
    """The lowest validation loss of any epoch, by the whole ensemble."""
    learner = Learner(config, load_data(config), training_mesh(config))
    lowest = math.inf
    for epoch, scores in enumerate(train_epochs(learner), start=1):
        report(scores["loss"], step=epoch)  # does not return where training has diverged
        lowest = min(lowest, scores["loss"])
    return lowest
