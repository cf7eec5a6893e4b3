"""A search over the options of a recipe, on validation data."""

import tempfile
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from dl_shared.tuning import Float, Report, Space, TuneOptions, tune
from lightning_projects.fitting import make_trainer
from lightning_projects.imdb.config import Config
from lightning_projects.imdb.data import ImdbData, load_reviews
from lightning_projects.imdb.model import load_pretrained
from lightning_projects.imdb.train import MONITOR, PROJECT, check_length, make_module

SPACE: Space = {
    "learning_rate": Float(1e-5, 1e-3, log=True),
    "layer_decay": Float(0.6, 1.0),
    "weight_decay": Float(1e-3, 1e-1, log=True),
    "warmup": Float(0.0, 0.3),
    "dropout": Float(0.0, 0.3),
}


def search(config: Config, options: TuneOptions) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one; what is not searched stays as in the config."""
    return tune(
        PROJECT, config, SPACE, objective, direction="maximize", metric="validation F1", options=options
    ).summary()


class Reporting(Callback):
    """Tells the search how each epoch went, which may end the trial."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.report(float(trainer.callback_metrics[MONITOR]), step=trainer.current_epoch + 1)


def objective(config: Config, report: Report) -> float:
    """Validation F1 at the end of training."""
    data = load_reviews(config)
    network, tokenizer = load_pretrained(config, data.train.texts)
    check_length(config, network)
    datamodule = ImdbData(config, data, tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        trainer = make_trainer(
            config,
            default_root_dir=folder,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            callbacks=[Reporting(report)],
        )
        trainer.fit(make_module(config, network, datamodule), datamodule=datamodule)
    return float(trainer.callback_metrics[MONITOR])
