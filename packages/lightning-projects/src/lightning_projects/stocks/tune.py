"""A search over the options of a recipe, on validation data."""

import tempfile
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from dl_shared.tasks.stocks import load_data
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from lightning_projects.fitting import make_trainer
from lightning_projects.stocks.config import Config
from lightning_projects.stocks.data import StocksData
from lightning_projects.stocks.train import MONITOR, PROJECT, make_module

SPACE: Space = {
    "learning_rate": Float(3e-4, 3e-2, log=True),
    "weight_decay": Float(1e-3, 1.0, log=True),
    "dropout": Float(0.0, 0.5),
    "hidden": Choice((16, 32, 64, 128)),
    "layers": Choice((1, 2, 3)),
}


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config."""
    return tune(
        PROJECT, config, SPACE, objective, direction="minimize", metric="validation loss", options=options
    ).summary()


class Reporting(Callback):
    """Tells the search how each epoch went, which may end the trial."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.lowest = float("inf")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loss = float(trainer.callback_metrics[MONITOR])
        self.report(loss, step=trainer.current_epoch + 1)
        self.lowest = min(self.lowest, loss)


def objective(config: Config, report: Report) -> float:
    """The lowest validation loss of any epoch."""
    datamodule, reporting = StocksData(config, load_data(config)), Reporting(report)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            callbacks=[reporting],
        )
        trainer.fit(make_module(config, datamodule), datamodule=datamodule)
    return reporting.lowest
