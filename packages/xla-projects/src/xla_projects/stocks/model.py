"""The network: recurrent layers over the days of a window, and a head for each day ahead.

A recurrent layer only looks back, so that its output on each day of a window is a forecast made on that day. One pass
over a window of 60 days trains 60 forecasts; a prediction uses the last one.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from xla_projects.recurrent import GRU, LSTM
from xla_projects.stocks.config import Config

Windows = Float[Tensor, "days batch features"]

CELLS = {"lstm": LSTM, "gru": GRU}
GATES = {"lstm": 4, "gru": 3}
REMEMBERS = 1
"""Which gate keeps the state: the second of the LSTM's (input, forget, ...) and of the GRU's (reset, update, new)."""


class Forecaster(nn.Module):
    """Scanned recurrent layers with dropout between them (Zaremba et al. 2014, arXiv:1409.2329).

    **Shape:** windows `(days, batch, features)`, scaled as the data's scaler does, to `(days, batch, horizon)`: the
    cumulative log returns since each day, in units of that day's volatility (`dl_shared.tasks.stocks_outputs`). Days
    come first, as the scan takes them, so that nothing needs to be transposed.

    Each day ahead has its own head, a row of one linear layer. The heads begin with zeros, so that before the first
    update every forecast is persistence. Recurrent matrices begin orthogonal, and gates remember by default (Jozefowicz
    et al. 2015, "An Empirical Exploration of Recurrent Network Architectures", section 4, on the LSTM's forget gate).

    Args:
        config: `cell`, `hidden`, `layers`, `dropout` and `horizon` are read.
        features: columns of the input.
    """

    def __init__(self, config: Config, *, features: int) -> None:
        super().__init__()
        between = config.dropout if config.layers > 1 else 0.0  # torch warns if there is one layer only
        self.recurrent = CELLS[config.cell](features, config.hidden, config.layers, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(config.hidden, config.horizon)
        self._initialise(GATES[config.cell])

    def forward(self, windows: Windows) -> Float[Tensor, "days batch horizon"]:
        hidden, _ = self.recurrent(windows)
        return self.heads(self.dropout(hidden))

    def forecast(self, windows: Windows) -> Float[Tensor, "batch horizon"]:
        """The forecast made on the last day of each window."""
        hidden, _ = self.recurrent(windows)
        return self.heads(self.dropout(hidden[-1]))

    @torch.no_grad()
    def _initialise(self, gates: int) -> None:
        for name, param in self.recurrent.named_parameters():
            if name.startswith("weight_hh"):
                for gate in param.chunk(gates):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                for gate in param.chunk(gates):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(param)
                if name.startswith("bias_ih"):
                    param.chunk(gates)[REMEMBERS].fill_(1.0)
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)
