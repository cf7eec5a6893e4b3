"""A search over the options of a recipe, on validation F1."""

from typing import Any

from dl_shared.tuning import Float, Report, Space, TuneOptions, tune
from dl_shared.unrecorded import unrecorded_run
from xla_projects.device import start_device
from xla_projects.imdb.config import Config
from xla_projects.imdb.data import load_reviews
from xla_projects.imdb.train import PROJECT, fit, load_network, make_batches

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
    """The best validation F1 of any epoch. Decay and dropout are constants of the graph: each trial is compiled."""
    scores: list[float] = []

    def watch(epoch: int, validation: dict[str, float]) -> None:
        scores.append(validation["f1"])
        report(validation["f1"], step=epoch)

    device, data = start_device(config), load_reviews(config)
    with unrecorded_run() as run:
        network, tokenizer = load_network(config, data, run)
        fit(config, network, make_batches(config, data, tokenizer, device), run, device, watch)
    return max(scores)
