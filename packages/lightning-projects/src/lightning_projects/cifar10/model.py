"""The network: a whitening stem, blocks that halve the image, and a linear classifier.

The plan follows cifar10-airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", arXiv:2404.00498),
sections 3.1 to 3.3; the skip connection is that of He et al. 2015, "Deep Residual Learning", arXiv:1512.03385.
Departures: nothing in the stem is learned, and it may take a stride of 2 (for processors); ReLU where asked for;
dropout before the classifier.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from dl_shared.tasks.cifar10_config import MEAN, STD
from lightning_projects.cifar10.config import Config
from lightning_projects.processes import MeanOverProcesses, count_processes

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}
LOGIT_SCALE = 1 / 9


class WhiteningStem(nn.Module):
    """Patches of pixels on their principal axes, each axis scaled to unit variance and taken with both signs.

    The filters come from training images (`whitening_filters`) and are not learned, so that the backward pass ends at
    the first block. A patch is twice the stride wide; there is no padding.

    **Shape:** `(batch, 3, height, width)` to `(batch, features, height / stride - 1, width / stride - 1)`.
    """

    filters: Tensor

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        axes = 3 * (2 * stride) ** 2
        self.features = 2 * axes
        self.register_buffer("filters", torch.zeros(axes, 3, 2 * stride, 2 * stride))

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch features rows columns"]:
        responses = F.conv2d(inputs, self.filters, stride=self.stride)
        return torch.cat([responses, -responses], dim=1)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the images of all processes, on any device; its scale stays 1 (arXiv:2404.00498).

    `nn.SyncBatchNorm` does the same for GPUs only. Every process must have equally many images.
    """

    def __init__(self, features: int) -> None:
        super().__init__(features, eps=1e-5, momentum=0.4)
        self.weight.requires_grad_(False)

    def forward(self, inputs: Float[Tensor, "batch c height width"]) -> Float[Tensor, "batch c height width"]:
        if not (self.training and count_processes() > 1):
            return super().forward(inputs)
        exact = inputs.float()
        moments = torch.stack([exact.mean((0, 2, 3)), exact.square().mean((0, 2, 3))])
        mean, square = MeanOverProcesses.apply(moments)
        variance = square - mean.square()
        count = inputs.numel() / len(mean) * count_processes()
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.momentum is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = torch.rsqrt(variance + self.eps)
        outputs = (exact - mean[:, None, None]) * scale[:, None, None] + self.bias[:, None, None]
        return outputs.to(inputs.dtype)


class Block(nn.Module):
    """Two or three 3 x 3 convolutions with batch normalisation; the first halves height and width by max-pooling.

    With three, a skip connection bridges the last two.
    """

    def __init__(self, in_features: int, out_features: int, *, depth: int, activation: str) -> None:
        super().__init__()
        widths = (in_features, *[out_features] * depth)
        # No bias: batch normalisation has one.
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False) for before, after in pairwise(widths)
        )
        self.norms = nn.ModuleList(BatchNorm(out_features) for _ in range(depth))
        self.activation = ACTIVATIONS[activation]
        for convolution in self.convolutions:  # as many filters as there are inputs begin as the identity
            assert isinstance(convolution, nn.Conv2d)
            nn.init.dirac_(convolution.weight[: convolution.in_channels])

    def forward(
        self, inputs: Float[Tensor, "batch in_features height width"]
    ) -> Float[Tensor, "batch out_features height//2 width//2"]:
        pooled = F.max_pool2d(self.convolutions[0](inputs), 2)
        outputs = skipped = self.activation(self.norms[0](pooled))
        outputs = self.norms[1](self.convolutions[1](outputs))
        if len(self.norms) == 3:
            outputs = self.norms[2](self.convolutions[2](self.activation(outputs))) + skipped
        return self.activation(outputs)


class Network(nn.Module):
    """Stem, one block for each width, global max-pooling, dropout, classifier.

    **Shape:** `(batch, 3, 32, 32)`, normalised, to logits `(batch, classes)` in float32.

    Args:
        config: `widths`, `depth`, `stem_stride`, `activation` and `dropout` are read.
        classes: how many logits.
    """

    def __init__(self, config: Config, *, classes: int) -> None:
        super().__init__()
        self.stem = WhiteningStem(config.stem_stride)
        self.activation = ACTIVATIONS[config.activation]
        features = (self.stem.features, *config.widths)
        self.blocks = nn.Sequential(
            *(
                Block(before, after, depth=config.depth, activation=config.activation)
                for before, after in pairwise(features)
            )
        )
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(features[-1], classes, bias=False)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        features = self.blocks(self.activation(self.stem(inputs)))
        return self.classifier(self.dropout(features.amax((2, 3)))).float() * LOGIT_SCALE


def normalize(images: UInt8[Tensor, "batch height width 3"]) -> Float[Tensor, "batch 3 height width"]:
    """Pixels with mean 0 and standard deviation 1 over the training set, channel by channel; in channels_last."""
    mean, std = (torch.tensor(values, device=images.device) for values in (MEAN, STD))
    return ((images / 255 - mean) / std).permute(0, 3, 1, 2)


def whitening_filters(
    inputs: Float[Tensor, "n 3 height width"], size: int, *, epsilon: float = 5e-4
) -> Float[Tensor, "axes 3 size size"]:
    """Filters whose responses to patches of these images are uncorrelated, with unit variance.

    With C = V diag(e) V' the covariance of the patches, the filters are the columns of V diag(e)^-1/2: principal
    component whitening (arXiv:2404.00498, section 3.2). `epsilon` is added to e, so that directions which hardly vary
    are not blown up.

    Args:
        inputs: normalised images; some thousands suffice.
        size: side of a patch, in pixels.
        epsilon: added to each variance.
    """
    patches = F.unfold(inputs.double(), size, stride=size).transpose(1, 2).flatten(0, 1)
    variances, axes = torch.linalg.eigh(patches.T.cov())
    filters = axes / (variances.clamp(min=0) + epsilon).sqrt()
    return filters.flip(1).T.reshape(-1, 3, size, size).to(inputs.dtype).contiguous()


def mirrored_too(network: nn.Module, inputs: Float[Tensor, "batch 3 h w"]) -> Float[Tensor, "batch classes"]:
    """Logits, averaged over each image and its mirror image."""
    return (network(inputs) + network(inputs.flip(3))) / 2
