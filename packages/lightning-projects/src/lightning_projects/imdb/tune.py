"""A search over the options of a recipe, on validation data."""

from typing import Any

from dl_shared.tuning import Float, Report, Space, TuneOptions, tune
from lightning_projects.fitting import fit_trial
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


def objective(config: Config, report: Report) -> float:
    """Validation F1 at the end of training."""
    data = load_reviews(config)
    network, tokenizer = load_pretrained(config, data.train.texts)
    check_length(config, network)
    datamodule = ImdbData(config, data, tokenizer)
    module = make_module(config, network, datamodule)
    return fit_trial(module, datamodule, config, report, monitor=MONITOR)[-1]
