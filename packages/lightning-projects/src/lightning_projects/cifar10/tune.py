"""A search over the options of a recipe, on validation data."""

import tempfile
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from dl_shared.tasks import cifar10
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from lightning_projects.cifar10.config import Config
from lightning_projects.cifar10.data import CifarData
from lightning_projects.cifar10.train import MONITOR, PROJECT, averaging, make_module
from lightning_projects.fitting import make_trainer

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


class Reporting(Callback):
    """Tells the search how each epoch went, which may end the trial."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.report(float(trainer.callback_metrics[MONITOR]), step=trainer.current_epoch + 1)


def objective(config: Config, report: Report) -> float:
    """Validation accuracy at the end of training."""
    datamodule = CifarData(config, cifar10.load(config.data, seed=config.seed))
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            callbacks=[*averaging(config), Reporting(report)],
        )
        trainer.fit(make_module(config, datamodule), datamodule=datamodule)
    return float(trainer.callback_metrics[MONITOR])
