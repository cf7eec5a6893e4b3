"""Prices made into windows; the device holds each history once and gathers windows from it."""

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
    """The data of a run, or other data prepared in the same way, see `dl_shared.tasks.stocks.load_data`."""
    return stocks.load_data(config, start=config.since, end=config.until, **other)


class TrainWindows:
    """The training windows with a known target on each of their days, gathered on the device.

    Args:
        data: of the run.
        outputs: defines the units of the targets.
        device: where the histories are put.
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
        """The windows that end in these rows, with targets for each of their days; for use inside a compiled step."""
        days = self.back[:, None] + ends
        return self.values[days], self.targets[days]


def days_back(lookback: int, device: Device) -> Int[Tensor, " days"]:
    """Offsets from the last row of a window to all of its rows, on the device."""
    return device.put(np.arange(1 - lookback, 1))
