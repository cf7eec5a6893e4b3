"""GoogLeNet: Szegedy et al. 2015, "Going deeper with convolutions" (arXiv:1409.4842)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

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

AUXILIARY_WEIGHT = 0.3  # of their loss, section 5


class Branches(NamedTuple):
    """A row of Table 1: channels of an Inception module."""

    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: int

    def thinned(self, width: float) -> "Branches":
        return Branches(*(thinned(features, width) for features in self))

    @property
    def features(self) -> int:
        return self.one + self.three + self.five + self.pool


TABLE_1 = {
    "3a": Branches(64, 96, 128, 16, 32, 32),
    "3b": Branches(128, 128, 192, 32, 96, 64),
    "4a": Branches(192, 96, 208, 16, 48, 64),
    "4b": Branches(160, 112, 224, 24, 64, 64),
    "4c": Branches(128, 128, 256, 24, 64, 64),
    "4d": Branches(112, 144, 288, 32, 64, 64),
    "4e": Branches(256, 160, 320, 32, 128, 128),
    "5a": Branches(256, 160, 320, 32, 128, 128),
    "5b": Branches(384, 192, 384, 48, 128, 128),
}


class Inception(nn.Module):
    """Figure 2 (b): 1 x 1, 3 x 3, 5 x 5 and max-pooling side by side, joined; 1 x 1 reduces channels before."""

    def __init__(self, before: int, branches: Branches) -> None:
        super().__init__()
        self.one = ConvNorm(before, branches.one, 1)
        self.three = nn.Sequential(
            ConvNorm(before, branches.three_reduce, 1), ConvNorm(branches.three_reduce, branches.three, 3)
        )
        self.five = nn.Sequential(
            ConvNorm(before, branches.five_reduce, 1), ConvNorm(branches.five_reduce, branches.five, 5)
        )
        self.pool = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), ConvNorm(before, branches.pool, 1))

    def forward(self, inputs: Features) -> Outputs:
        return torch.cat([branch(inputs) for branch in (self.one, self.three, self.five, self.pool)], dim=1)


class Auxiliary(nn.Sequential):
    """A classifier half-way, for training alone (section 5): it brings a gradient to the lower layers.

    Departures: pooling leaves 2 x 2 pixels, not 4 x 4, and there are 256 units, not 1,024.
    """

    def __init__(self, before: int, classes: int, width: float) -> None:
        maps, units = thinned(128, width), thinned(256, width)
        super().__init__(
            *(nn.AdaptiveAvgPool2d(2), ConvNorm(before, maps, 1), nn.Flatten()),
            *(nn.Linear(maps * 2 * 2, units), nn.ReLU(inplace=True), nn.Dropout(0.7), nn.Linear(units, classes)),
        )


class GoogLeNet(Classifier):
    """Three convolutions, nine Inception modules, the mean over the picture, dropout of 0.4, one linear layer.

    Departures:
        - The first convolution has filters of 3 x 3 pixels with stride 1, in place of 7 x 7 with stride 2: images are
          28 or 32 pixels wide, not 224. Modules 3a and 3b see 16 pixels (the paper's 28), 5a and 5b see 4 (7).
        - Batch normalisation, which came later, in place of response normalisation.
        - Smaller auxiliary classifiers, see `Auxiliary`.

    Args:
        channels: of an image.
        classes: how many logits.
        width: of its layers, as a share of the paper's.
    """

    def __init__(self, channels: int, classes: int, *, width: float = 1.0) -> None:
        super().__init__(channels, classes)
        table = {name: branches.thinned(width) for name, branches in TABLE_1.items()}
        maps64, maps192 = thinned(64, width), thinned(192, width)

        def pooling() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, padding=1)

        self.stem = nn.Sequential(
            *(ConvNorm(channels, maps64, 3), pooling()),
            *(ConvNorm(maps64, maps64, 1), ConvNorm(maps64, maps192, 3)),
        )
        self.pool3, self.pool4 = pooling(), pooling()
        before, self.inception = maps192, nn.ModuleDict()
        for name, branches in table.items():
            self.inception[name] = Inception(before, branches)
            before = branches.features
        self.after_4a = Auxiliary(table["4a"].features, classes, width)
        self.after_4d = Auxiliary(table["4d"].features, classes, width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.4), nn.Linear(before, classes)
        )
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self._forward(images)[0]

    def heads(self, images: Images) -> list[tuple[float, Logits]]:
        logits, after_4a, after_4d = self._forward(images)
        return [
            (1.0, logits),
            (AUXILIARY_WEIGHT, self.after_4a(after_4a)),
            (AUXILIARY_WEIGHT, self.after_4d(after_4d)),
        ]

    def _forward(self, images: Images) -> tuple[Logits, Tensor, Tensor]:
        """Logits, and what the auxiliary classifiers look at."""
        inception, features = self.inception, self.stem(images)
        features = self.pool3(inception["3b"](inception["3a"](features)))
        after_4a = inception["4a"](features)
        after_4d = inception["4d"](inception["4c"](inception["4b"](after_4a)))
        features = self.pool4(inception["4e"](after_4d))
        return self.classifier(inception["5b"](inception["5a"](features))), after_4a, after_4d
