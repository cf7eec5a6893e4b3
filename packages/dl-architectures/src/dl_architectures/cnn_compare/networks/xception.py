"""Xception: Chollet 2017, "Xception: deep learning with depthwise separable convolutions" (arXiv:1610.02357)."""

from collections.abc import Sequence
from itertools import pairwise

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

MIDDLE = 8  # times the middle flow is repeated


class Separable(nn.Sequential):
    """A convolution of 3 x 3 pixels in each channel, one of 1 x 1 across channels, and batch normalisation.

    No activation stands between the two convolutions, see section 4.7.
    """

    def __init__(self, before: int, features: int) -> None:
        super().__init__(
            nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False),
            nn.Conv2d(before, features, 1, bias=False),
            nn.BatchNorm2d(features),
        )


class Block(nn.Module):
    """Separable convolutions with ReLU before each, and a shortcut past them (figure 5).

    Args:
        widths: channels before the first and after each.
        halve: pool by 2 at the end, and project the shortcut.
        first_relu: whether ReLU is before the first as well.
    """

    def __init__(self, widths: Sequence[int], *, halve: bool, first_relu: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for number, (before, features) in enumerate(pairwise(widths)):
            # Not in place before the first: the shortcut needs the inputs as they are.
            layers += [nn.ReLU(inplace=number > 0)] if number or first_relu else []
            layers.append(Separable(before, features))
        self.past: nn.Module = nn.Identity()
        if halve:
            layers.append(nn.MaxPool2d(3, stride=2, padding=1))
            self.past = nn.Sequential(
                nn.Conv2d(widths[0], widths[-1], 1, stride=2, bias=False), nn.BatchNorm2d(widths[-1])
            )
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Features) -> Outputs:
        return self.layers(inputs) + self.past(inputs)


class Xception(Classifier):
    """Entry flow, middle flow eight times, exit flow, the mean over the picture, one linear layer (figure 5).

    Departures:
        - The first convolution has stride 1, not 2: images of 32 pixels are then 4 pixels wide in the middle flow. The
          paper's, of 299 pixels, are 19 wide there.

    Args:
        channels: of an image.
        classes: how many logits.
        width: of its layers, as a share of the paper's.
    """

    def __init__(self, channels: int, classes: int, *, width: float = 1.0) -> None:
        super().__init__(channels, classes)

        def thin(*features: int) -> list[int]:
            return [thinned(each, width) for each in features]

        stem, out = thin(32, 64), thin(1024, 1536, 2048)
        self.entry = nn.Sequential(
            *(ConvNorm(channels, stem[0], 3), ConvNorm(stem[0], stem[1], 3)),
            Block(thin(64, 128, 128), halve=True, first_relu=False),
            Block(thin(128, 256, 256), halve=True),
            Block(thin(256, 728, 728), halve=True),
        )
        self.middle = nn.Sequential(*(Block(thin(728, 728, 728, 728), halve=False) for _ in range(MIDDLE)))
        self.exit = nn.Sequential(
            Block(thin(728, 728, 1024), halve=True),
            *(Separable(out[0], out[1]), nn.ReLU(inplace=True)),
            *(Separable(out[1], out[2]), nn.ReLU(inplace=True)),
        )
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(out[2], classes))
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self.classifier(self.exit(self.middle(self.entry(images))))
