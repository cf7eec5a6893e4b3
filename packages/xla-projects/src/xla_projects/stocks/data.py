"""Prices made into windows, and windows gathered on the device, where histories lie once."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from dl_shared.data.windows import trainable_ends
from dl_shared.tasks import stocks
from dl_shared.tasks.stocks_outputs import Outputs
from xla_projects.device import Device
from xla_projects.stocks.config import Config


def load_data(config: Config, **other: Any) -> stocks.Data:
    """The data of a run, or others prepared in the same way, see `dl_shared.tasks.stocks.load_data`."""
    return stocks.load_data(config, start=config.since, end=config.until, **other)


class TrainWindows:
    """The training windows that have a known target on every day.

    Args:
        data: of the run.
        outputs: in whose units targets are.
        device: where to put the histories.
    """

    def __init__(self, data: stocks.Data, outputs: Outputs, device: Device) -> None:
        windows = data.train
        by_row = np.zeros((len(windows.series), windows.horizon), np.float32)
        by_row[windows.ends] = outputs.from_returns(windows.targets, data.volatility("train"))
        self.values, self.targets = device.put(windows.series), device.put(by_row)
        self.back = days_back(windows.lookback, device)
        self.ends = trainable_ends(windows)

    def __len__(self) -> int:
        return len(self.ends)

    def gather(
        self, ends: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "days batch features"], Float[Tensor, "days batch horizon"]]:
        """The windows that end in these rows of the histories, with a target for every day; within a compiled step."""
        days = self.back[:, None] + ends
        return self.values[days], self.targets[days]


def days_back(lookback: int, device: Device) -> Int[Tensor, " days"]:
    """From the last row of a window to each of its rows, on the device."""
    return device.put(np.arange(1 - lookback, 1))
