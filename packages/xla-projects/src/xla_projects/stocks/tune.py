"""The verb `tune`: a search on validation days, what its winner is worth after it, and one test."""

from typing import Any

from dl_shared.tasks import stocks, stocks_tuning
from dl_shared.tasks.options import SearchStocks
from dl_shared.tasks.stocks_config import LEVELS
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_tuning import Watch
from dl_shared.tuning import Choice, Float, Space
from dl_shared.unrecorded import unrecorded_run
from xla_projects.device import start_device
from xla_projects.stocks.config import Config
from xla_projects.stocks.data import load_data
from xla_projects.stocks.train import PROJECT, fit, train

# Few sizes: each is two programs to compile, which trials of the same size share.
SPACE: Space = {
    "cell": Choice(("lstm", "gru")),
    "hidden": Choice((8, 16, 32)),
    "layers": Choice((1, 2)),
    "dropout": Float(0.0, 0.5),
    "learning_rate": Float(3e-4, 3e-2, log=True),
    "weight_decay": Float(1e-3, 1.0, log=True),
}


def search(config: Config, options: SearchStocks) -> dict[str, Any]:
    """Search `SPACE`, beginning a study or continuing one, see `dl_shared.tasks.stocks_tuning.search`."""
    return stocks_tuning.search(PROJECT, config, SPACE, options, load=load_data, fit=fit_quietly, train=train)


def fit_quietly(config: Config, data: stocks.Data, watch: Watch) -> None:
    """A training that keeps no run."""
    with unrecorded_run() as run:
        fit(config, data, Outputs.of(data, LEVELS), run, start_device(config), watch)
