"""Batch normalisation over the batch of all processes, so that their number changes no result.

`nn.SyncBatchNorm` does this on GPUs only. Ioffe and Szegedy 2015, arXiv:1502.03167.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


class MeanOverProcesses(torch.autograd.Function):
    """The mean over all processes of a tensor that each has; its gradient is the mean of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        mean = tensor.clone()
        torch.distributed.all_reduce(mean)
        return mean / torch.distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return MeanOverProcesses.forward(ctx, gradient)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the mean and variance of all processes, each of which has as many pictures."""

    def forward(
        self, input: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        if not self.training:
            return super().forward(input)
        values = input.float()
        moments = torch.stack([values.mean((0, 2, 3)), values.square().mean((0, 2, 3))])
        mean, squared = MeanOverProcesses.apply(moments)
        variance = squared - mean.square()
        count = values.numel() // len(mean) * torch.distributed.get_world_size()
        self._update(mean.detach(), variance.detach(), count)
        scale = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * scale
        return (values * scale[:, None, None] + shift[:, None, None]).to(input.dtype)

    def _update(self, mean: Float[Tensor, " channels"], variance: Float[Tensor, " channels"], count: int) -> None:
        """Update the running statistics as `nn.BatchNorm2d` does, by the unbiased variance of `count` values."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked.add_(1)


def share_statistics(module: nn.Module) -> None:
    """Replace every `nn.BatchNorm2d` below a module by one whose statistics are those of all processes."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm2d(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            setattr(module, name, shared)
        else:
            share_statistics(child)
