"""The network: an LSTM over the days of a window, and a head for each day ahead.

An LSTM looks back only, so what it says on every day of a window is a forecast made on that day: one pass over a
window of 60 days trains 60 forecasts, and the last one is used.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lightning_projects.stocks.config import Config

Windows = Float[Tensor, "batch days features"]
FORGET_BIAS = 1.0


class Forecaster(nn.Module):
    """LSTM layers with dropout between them (Hochreiter and Schmidhuber 1997; Zaremba et al. 2014, arXiv:1409.2329).

    **Shape:** windows `(batch, days, features)`, scaled as the data's scaler does, to `(batch, days, horizon)`: the
    cumulative log returns since each day, in units of that day's volatility (`dl_shared.tasks.stocks_outputs`).

    Each day ahead has its own head, a row of one linear layer. It begins with zeros: before the first step every
    forecast is persistence. The gates begin with orthogonal matrices from day to day and remember by default
    (Jozefowicz et al. 2015, "An Empirical Exploration of Recurrent Network Architectures", section 4).

    Args:
        config: `hidden`, `layers`, `dropout` and `horizon` are read.
        features: columns of the input.
    """

    def __init__(self, config: Config, *, features: int) -> None:
        super().__init__()
        between = config.dropout if config.layers > 1 else 0.0  # nn.LSTM warns where there is nothing in between
        self.lstm = nn.LSTM(features, config.hidden, config.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(config.hidden, config.horizon)
        self._initialise()

    def forward(self, windows: Windows) -> Float[Tensor, "batch days horizon"]:
        hidden, _ = self.lstm(windows)
        return self.heads(self.dropout(hidden))

    def forecast(self, windows: Windows) -> Float[Tensor, "batch horizon"]:
        """What is forecast on the last day of each window."""
        _, (hidden, _) = self.lstm(windows)
        return self.heads(self.dropout(hidden[-1]))

    @torch.no_grad()
    def _initialise(self) -> None:
        for name, param in self.lstm.named_parameters():
            if name.startswith("weight_hh"):
                for gate in param.chunk(4):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                for gate in param.chunk(4):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(param)
                if name.startswith("bias_ih"):
                    param.chunk(4)[1].fill_(FORGET_BIAS)  # gates come in the order input, forget, cell, output
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)
