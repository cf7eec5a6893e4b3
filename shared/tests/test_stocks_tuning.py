"""A search by skill: it finds what was planted, and keeps what every epoch lost on every day."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dl_shared.errors import InputError
from dl_shared.tasks import stocks
from dl_shared.tasks.options import SearchStocks
from dl_shared.tasks.stocks_config import LEVELS, StocksConfig
from dl_shared.tasks.stocks_outputs import Outputs
from dl_shared.tasks.stocks_tuning import search
from dl_shared.tuning import Choice


@dataclass(frozen=True, kw_only=True)
class Config(StocksConfig):
    epochs: int = 2
    batch_size: int = 1
    known: float = 0.0
    """Share of each move that the forecasts know."""


CONFIG = Config(data="sample", lookback=5, horizon=3, features=("standard_return",), tickers=("S00", "S01"))


def load(config: StocksConfig) -> stocks.Data:
    return stocks.load_data(config)


def fit(config: Config, data: stocks.Data, watch) -> None:
    """Forecasts that know a share of each move, and half of that after their first epoch."""
    truth = Outputs.of(data, LEVELS).from_returns(data.validation.targets, data.volatility("validation"))
    for epoch in (1, 2):
        watch(epoch, (config.known * epoch / 2 - 1) * truth)


def train(config: Config, *, runs_dir: Path | None = None) -> Path:
    raise AssertionError("nothing is to be tested")


def test_the_best_epoch_of_all_is_found_and_each_one_counts_as_tried(tmp_path):
    space = {"known": Choice((0.0, 0.1, 0.4))}
    options = SearchStocks(trials=8, runs_dir=tmp_path, test=False, pruner="none")
    found = search("toy-stocks", CONFIG, space, options, load=load, fit=fit, train=train)
    assert found["best"] == {"known": 0.4}
    assert found["best_value"] == pytest.approx(0.4)
    assert found["deflated"]["tried"] == 2 * found["tried"] == 16
    assert found["deflated"]["p_value"] < 0.05
    assert "test" not in found
    assert "more than the luck of the search" in Path(found["page"]).read_text()
    kept = np.load(next(Path(found["folder"]).glob("losses/*.npy")), allow_pickle=False)
    assert kept.shape == (2, len(np.unique(load(CONFIG).validation.dates)))


def test_too_few_validation_days_are_refused(tmp_path):
    few = replace(CONFIG, horizon=130)
    options, space = SearchStocks(trials=1, runs_dir=tmp_path), {"known": Choice((0.0, 0.1))}
    with pytest.raises(InputError, match="too few to judge a search"):
        search("toy-stocks", few, space, options, load=load, fit=fit, train=train)
