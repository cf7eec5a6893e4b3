"""ResNet: He, Zhang, Ren and Sun 2016, "Deep residual learning for image recognition" (arXiv:1512.03385)."""

from itertools import pairwise

import torch.nn.functional as F
from torch import nn

from dl_architectures.cnn_compare.networks.classifier import (
    Classifier,
    ConvNorm,
    Features,
    Images,
    Logits,
    Outputs,
    initialise,
    thinned,
)

# Channels and blocks of each stage; the first stage keeps the size of the picture, each other halves it.
STAGES = {
    "resnet18": ((64, 2), (128, 2), (256, 2), (512, 2)),  # Table 1
    "resnet20": ((16, 3), (32, 3), (64, 3)),  # section 4.2, made for CIFAR-10: 6n + 2 layers, n = 3
}


class Block(nn.Module):
    """Two convolutions of 3 x 3 pixels, and a shortcut past them (figure 2).

    Where the size changes, the shortcut is a convolution of 1 x 1 pixel: option B of section 3.3.
    """

    def __init__(self, before: int, features: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(before, features, 3, stride=stride)
        self.second = nn.Sequential(nn.Conv2d(features, features, 3, padding=1, bias=False), nn.BatchNorm2d(features))
        self.past: nn.Module = nn.Identity()
        if before != features or stride > 1:
            self.past = nn.Sequential(
                nn.Conv2d(before, features, 1, stride=stride, bias=False), nn.BatchNorm2d(features)
            )

    def forward(self, inputs: Features) -> Outputs:
        return F.relu(self.second(self.first(inputs)) + self.past(inputs))


class ResNet(Classifier):
    """A convolution, stages of residual blocks, the mean over the picture, one linear layer (3.3).

    Departures:
        - ResNet-18 begins with a convolution of 3 x 3 pixels with stride 1 and no pooling, as section 4.2 does, in
          place of 7 x 7 pixels with stride 2 and max-pooling.
        - ResNet-20 projects its shortcuts (option B), where section 4.2 pads them with zeros (option A).

    Args:
        channels: of an image.
        classes: how many logits.
        variant: of `STAGES`.
        width: of its layers, as a share of the paper's.
    """

    def __init__(self, channels: int, classes: int, *, variant: str, width: float = 1.0) -> None:
        super().__init__(channels, classes)
        stages = [(thinned(features, width), count) for features, count in STAGES[variant]]
        widths = [stages[0][0], *(features for features, count in stages for _ in range(count))]
        self.features = nn.Sequential(
            ConvNorm(channels, widths[0], 3),
            *(Block(before, features, 1 if before == features else 2) for before, features in pairwise(widths)),
        )
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self.classifier(self.features(images))
