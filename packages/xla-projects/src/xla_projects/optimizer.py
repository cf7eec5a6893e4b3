"""AdamW whose first update is the same graph as all others."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from xla_projects.device import Device


def make_adamw(device: Device, groups: Sequence[dict[str, Any]], **options: Any) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) over groups of parameters that lie on the device.

    torch's optimizers make their moments in the first update, which would be another graph: the whole step would be
    compiled twice. Here the moments are zeros from the beginning, made on the host; `capturable` keeps the number of
    updates on the device, as an input of the graph.

    Args:
        device: where the parameters are.
        groups: as torch.optim takes them, without learning rates: `set_rates` gives those of each update.
        options: of AdamW, such as `betas`, `eps` and `weight_decay`.
    """
    optimizer = torch.optim.AdamW(list(groups), lr=0.0, capturable=True, foreach=False, **options)
    for group in optimizer.param_groups:
        for param in group["params"]:
            zeros = np.zeros(param.shape, np.float32)
            moments = {name: device.put(zeros) for name in ("exp_avg", "exp_avg_sq")}
            optimizer.state[param] = {"step": device.put(np.zeros((), np.float32)), **moments}
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, rates: Float[Tensor, " groups"]) -> None:
    """Set the learning rates of the next update, inside the compiled step: they are an input of the graph.

    Args:
        optimizer: of `make_adamw`.
        rates: one for each group, on the device.
    """
    for group, rate in zip(optimizer.param_groups, rates.unbind(), strict=True):
        group["lr"] = rate
