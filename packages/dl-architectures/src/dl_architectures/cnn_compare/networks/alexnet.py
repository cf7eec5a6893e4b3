"""AlexNet: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks"."""

import torch
from torch import nn

from dl_architectures.cnn_compare.networks.classifier import (
    Classifier,
    Features,
    Images,
    Logits,
    Outputs,
    initialise,
    thinned,
)


class ResponseNorm(nn.Module):
    """Divides a map by the squares of its two neighbours on each side (section 3.3).

    With the paper's k = 2, n = 5, alpha = 1e-4 and beta = 0.75, as `torch.nn.LocalResponseNorm`; but neighbours are
    added up by a product with a band of ones, which is twice as fast on a CPU and works in bfloat16.
    """

    def forward(self, maps: Features) -> Outputs:
        number = torch.arange(maps.shape[1], device=maps.device)
        band = ((number[:, None] - number).abs() <= 2).to(maps.dtype)
        neighbours = (maps.square().movedim(1, -1) @ band).movedim(-1, 1)
        sums = 2 + 1e-4 * neighbours
        return maps * (sums * sums.sqrt()).rsqrt()  # to the power of -0.75


class AlexNet(Classifier):
    """Five convolutions and three fully connected layers (section 3.5, figure 2), with ReLU (3.1).

    Response normalisation with the paper's constants follows the first two convolutions (3.3), pooling overlaps (3.4),
    dropout of 0.5 is in front of the first two fully connected layers (4.2). The second, fourth and fifth convolutions
    are in two groups, which in the paper are two GPUs (3.2).

    Departures:
        - The first convolution has filters of 5 x 5 pixels with stride 1, in place of 11 x 11 with stride 4: images
          are 28 or 32 pixels wide, not 224.
        - The fully connected layers have 1,024 units in place of 4,096: they read 4,096 features, not 9,216, and tell
          10 classes apart, not 1,000.
        - Initial weights as in He et al. 2015: those of section 5 are for inputs of another scale.

    Args:
        channels: of an image.
        classes: how many logits.
        width: of its layers, as a share of the paper's.
    """

    def __init__(self, channels: int, classes: int, *, width: float = 1.0) -> None:
        super().__init__(channels, classes)
        maps96, maps256, maps384, units = (thinned(features, width) for features in (96, 256, 384, 1024))

        def pooling() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, padding=1)

        self.features = nn.Sequential(
            *(nn.Conv2d(channels, maps96, 5, padding=2), nn.ReLU(inplace=True), ResponseNorm(), pooling()),
            *(nn.Conv2d(maps96, maps256, 5, padding=2, groups=2), nn.ReLU(inplace=True), ResponseNorm(), pooling()),
            *(nn.Conv2d(maps256, maps384, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(maps384, maps384, 3, padding=1, groups=2), nn.ReLU(inplace=True)),
            *(nn.Conv2d(maps384, maps256, 3, padding=1, groups=2), nn.ReLU(inplace=True), pooling()),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(0.5), nn.Linear(maps256 * 4 * 4, units), nn.ReLU(inplace=True)),
            *(nn.Dropout(0.5), nn.Linear(units, units), nn.ReLU(inplace=True)),
            nn.Linear(units, classes),
        )
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self.classifier(self.features(images).flatten(1))  # 28 and 32 pixels both end as 4
