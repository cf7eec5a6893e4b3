"""AlexNet: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional neural networks"."""

from torch import nn

from dl_architectures.cnn_compare.networks.classifier import Classifier, Images, Logits, initialise


class AlexNet(Classifier):
    """Five convolutions and three fully connected layers (section 3.5, figure 2), with ReLU (3.1).

    Response normalisation with the paper's constants follows the first two convolutions (3.3), pooling overlaps (3.4),
    dropout of 0.5 is in front of the first two fully connected layers (4.2). The second, fourth and fifth convolutions
    are in two groups, which in the paper are two GPUs (3.2).

    Departures:
        - The first convolution has filters of 5 pixels at each pixel, in place of 11 at each fourth: images are 28 or
          32 pixels wide, not 224.
        - The fully connected layers have 1,024 units in place of 4,096: there are 4,096 features to look at, not 9,216,
          and 10 classes, not 1,000.
        - He's initial weights: those of section 5 are for inputs of another scale.
    """

    def __init__(self, channels: int, classes: int, *, units: int = 1024) -> None:
        super().__init__(channels, classes)

        def normalisation() -> nn.Module:
            return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)  # torch divides alpha by the 5 neighbours

        def pooling() -> nn.Module:
            return nn.MaxPool2d(3, stride=2, padding=1)

        self.features = nn.Sequential(
            *(nn.Conv2d(channels, 96, 5, padding=2), nn.ReLU(inplace=True), normalisation(), pooling()),
            *(nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(inplace=True), normalisation(), pooling()),
            *(nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(inplace=True)),
            *(nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(inplace=True)),
            *(nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(inplace=True), pooling()),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(0.5), nn.Linear(256 * 4 * 4, units), nn.ReLU(inplace=True)),
            *(nn.Dropout(0.5), nn.Linear(units, units), nn.ReLU(inplace=True)),
            nn.Linear(units, classes),
        )
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self.classifier(self.features(images).flatten(1))  # 28 and 32 pixels both end as 4
