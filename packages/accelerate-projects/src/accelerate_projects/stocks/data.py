"""Prices and headlines made into windows; the device holds each history once and gathers windows from it."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from accelerate_projects.stocks.config import Config
from dl_shared.data.headlines import ScoredHeadlines, clean, read_headlines
from dl_shared.data.sentiment import Lexicon
from dl_shared.data.windows import trainable_ends
from dl_shared.sample.headlines import make_headlines
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs


def load_data(config: Config, *, headlines: str | None = None, **other: Any) -> stocks.Data:
    """The data of a run, or other data prepared in the same way, see `dl_shared.tasks.stocks.load_data`.

    Args:
        config: what to load and how.
        headlines: another CSV than the config's, for a run with news.
        other: arguments of the shared function, such as `source` for other data than the config's.
    """
    return stocks.load_data(config, **other, **_arguments(config, headlines))


def load_company(config: Config, ticker: str, *, headlines: str | None = None, **other: Any) -> stocks.History:
    """All days of one company, whatever `since` and `until` say, prepared as those of a run."""
    arguments = _arguments(config, headlines) | {"start": None, "end": None}
    return stocks.load_company(config, ticker, **other, **arguments)


def _arguments(config: Config, headlines: str | None) -> dict[str, Any]:
    """What the options say to the functions of `dl_shared.tasks.stocks`."""
    return {
        "start": config.since,
        "end": config.until,
        "sample_news": config.sample_news if config.headlines == "sample" else 0.0,
        "news": load_news(config, headlines) if config.uses_news else None,
    }


def load_news(config: Config, headlines: str | None = None) -> ScoredHeadlines:
    """The headlines of a run, scored.

    Raises:
        InputError: if the file, or the classifier, cannot be used.
    """
    source = headlines or config.headlines
    assert source is not None, "the run has headlines"
    if source == "sample":
        found = clean(make_headlines(seed=config.seed).astype(str), where="the sample")
    else:
        found = read_headlines(source)
    if config.sentiment_model is None:
        lexicon = Lexicon()
        return found.scored(lexicon, name=lexicon.name)
    from accelerate_projects.stocks.sentiment import Classifier  # transformers, which few runs need

    classifier = Classifier(config.sentiment_model, config.device)
    return found.scored(classifier, name=classifier.name)


class Batch(NamedTuple):
    """Windows, with a target for each of their days."""

    inputs: Float[Tensor, "batch days features"]
    targets: Float[Tensor, "batch days horizon"]


class TrainWindows(Dataset):
    """The training windows with a known target on each of their days, gathered on the device.

    Args:
        data: of the run.
        outputs: defines the units of the targets.
        device: where the histories are put.
    """

    def __init__(self, data: stocks.Data, outputs: Outputs, device: torch.device) -> None:
        windows = data.train
        by_row = np.zeros((len(windows.series), windows.horizon), np.float32)
        by_row[windows.ends] = outputs.from_returns(windows.targets, data.volatility("train"))
        self.values = torch.from_numpy(windows.series).to(device)
        self.targets = torch.from_numpy(by_row).to(device)
        self.ends = torch.from_numpy(trainable_ends(windows)).to(device)
        self.back = torch.arange(1 - windows.lookback, 1, device=device)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitems__(self, rows: list[int]) -> Batch:
        days = self.ends[torch.tensor(rows, device=self.ends.device)][:, None] + self.back
        return Batch(self.values[days], self.targets[days])
