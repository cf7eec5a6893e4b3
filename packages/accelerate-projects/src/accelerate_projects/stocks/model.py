"""The network: recurrent layers over the days of a window, and a head for each day ahead.

A recurrent layer only looks back, so that its output on each day of a window is a forecast made on that day. One pass
over a window of 60 days trains 60 forecasts; a prediction uses the last one.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from accelerate_projects.stocks.config import Config

Windows = Float[Tensor, "batch days features"]

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
REMEMBERS = {"gru": 1, "lstm": 1}
"""Which gate keeps the state: the second of the GRU's (reset, update, new) and of the LSTM's (input, forget, ...)."""


class Forecaster(nn.Module):
    """Recurrent layers with dropout between them (Zaremba et al. 2014, arXiv:1409.2329).

    The layers are Elman's (1990, "Finding Structure in Time"), gated recurrent units (Cho et al. 2014,
    arXiv:1406.1078) or long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al.
    2000).

    **Shape:** windows `(batch, days, features)`, scaled as the data's scaler does, to `(batch, days, horizon)`: the
    cumulative log returns since each day, in units of that day's volatility (`dl_shared.tasks.stocks_outputs`).

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
        self.cell = config.cell
        self.recurrent = CELLS[config.cell](features, config.hidden, config.layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.Linear(config.hidden, config.horizon)
        self._initialise()

    def forward(self, windows: Windows) -> Float[Tensor, "batch days horizon"]:
        hidden, _ = self.recurrent(windows)
        return self.heads(self.dropout(hidden))

    def forecast(self, windows: Windows) -> Float[Tensor, "batch horizon"]:
        """The forecast made on the last day of each window."""
        hidden, _ = self.recurrent(windows)
        return self.heads(self.dropout(hidden[:, -1]))

    @torch.no_grad()
    def _initialise(self) -> None:
        gates = GATES[self.cell]
        for name, param in self.recurrent.named_parameters():
            if name.startswith("weight_hh"):
                for gate in param.chunk(gates):
                    nn.init.orthogonal_(gate)
            elif name.startswith("weight_ih"):
                for gate in param.chunk(gates):
                    nn.init.xavier_uniform_(gate)
            else:
                nn.init.zeros_(param)
                if name.startswith("bias_ih") and self.cell in REMEMBERS:
                    param.chunk(gates)[REMEMBERS[self.cell]].fill_(1.0)
        nn.init.zeros_(self.heads.weight)
        nn.init.zeros_(self.heads.bias)
