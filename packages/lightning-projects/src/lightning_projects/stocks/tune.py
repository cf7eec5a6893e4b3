"""A search over the options of a recipe, on validation data."""

from typing import Any

from dl_shared.tasks.stocks import load_data
from dl_shared.tuning import Choice, Float, Report, Space, TuneOptions, tune
from lightning_projects.fitting import fit_trial
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


def objective(config: Config, report: Report) -> float:
    """The lowest validation loss of any epoch."""
    datamodule = StocksData(config, load_data(config))
    return min(fit_trial(make_module(config, datamodule), datamodule, config, report, monitor=MONITOR))
