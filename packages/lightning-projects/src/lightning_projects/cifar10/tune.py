"""A search over the options of a recipe, on validation data."""

from typing import Any

from dl_shared.tasks import cifar10
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import CifarData
from lightning_projects.cifar10.train import MONITOR, PROJECT, averaging, make_module
from lightning_projects.fitting import fit_trial

SPACE: Space = {
    "learning_rate": Float(0.1, 5.0, log=True),
    "bias_factor": Float(1.0, 64.0, log=True),
    "weight_decay": Float(1e-4, 1e-2, log=True),
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
    datamodule = CifarData(config, cifar10.load(config.data, seed=config.seed))
    module = make_module(config, datamodule)
    return fit_trial(module, datamodule, config, report, monitor=MONITOR, callbacks=averaging(config))[-1]
