"""Plain PyTorch in float64, to which all others are compared: what rounding does to it is nothing beside float32's.

Two results in float32 differ by the rounding of both; here it can be told whose it is, PyTorch's own included.
"""

from functools import partial

import torch
import with_torch
from cases import Case, Outcome, answer


def in_float64(network: str, case: Case) -> Outcome:
    return getattr(with_torch, network)(case.in_float64())


if __name__ == "__main__":
    torch.set_default_dtype(torch.float64)
    answer(**{network: partial(in_float64, network) for network in ("lstm", "cnn", "resnet")})
