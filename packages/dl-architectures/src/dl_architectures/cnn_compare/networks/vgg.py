"""VGG: Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image recognition"
(arXiv:1409.1556)."""

from torch import nn

from dl_architectures.cnn_compare.networks.classifier import Classifier, ConvNorm, Images, Logits, initialise, thinned

# Table 1: channels of the convolutions between two poolings.
CONFIGURATIONS = {
    "vgg11": ((64,), (128,), (256, 256), (512, 512), (512, 512)),  # A
    "vgg16": ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),  # D
}


class VGG(Classifier):
    """Convolutions of 3 pixels in five stages with max-pooling between, and three fully connected layers (2.1).

    Departures:
        - Batch normalisation, which came later. The paper's deep nets start from the weights of a trained shallow one
          (3.1), as they do not learn otherwise.
        - The fully connected layers have 512 units in place of 4,096: the fifth pooling leaves one pixel of 32.
        - Pooling rounds up, so that it leaves one pixel of 28 as well.

    Args:
        channels: of an image.
        classes: how many logits.
        configuration: of Table 1.
        width: of its layers, as a share of the paper's.
    """

    def __init__(self, channels: int, classes: int, *, configuration: str, width: float = 1.0) -> None:
        super().__init__(channels, classes)
        units = thinned(512, width)
        layers: list[nn.Module] = []
        before = channels
        for stage in CONFIGURATIONS[configuration]:
            for features in stage:
                layers.append(ConvNorm(before, thinned(features, width), 3))
                before = thinned(features, width)
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Linear(before, units), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            *(nn.Linear(units, units), nn.ReLU(inplace=True), nn.Dropout(0.5)),
            nn.Linear(units, classes),
        )
        initialise(self)

    def forward(self, images: Images) -> Logits:
        return self.classifier(self.features(images).flatten(1))
