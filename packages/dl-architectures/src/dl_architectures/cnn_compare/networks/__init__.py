"""Six classic networks, each in a file of its own, and one factory for them and their variants."""

from collections.abc import Callable
from functools import partial

from dl_architectures.cnn_compare.names import VARIANTS
from dl_architectures.cnn_compare.networks.alexnet import AlexNet
from dl_architectures.cnn_compare.networks.classifier import Classifier
from dl_architectures.cnn_compare.networks.googlenet import GoogLeNet
from dl_architectures.cnn_compare.networks.lenet import LeNet
from dl_architectures.cnn_compare.networks.resnet import ResNet
from dl_architectures.cnn_compare.networks.vgg import VGG
from dl_architectures.cnn_compare.networks.xception import Xception

_MAKERS: dict[str, Callable[..., Classifier]] = {
    "lenet": lambda channels, classes, width: LeNet(channels, classes),  # small as it is
    "alexnet": AlexNet,
    "vgg11": partial(VGG, configuration="vgg11"),
    "vgg16": partial(VGG, configuration="vgg16"),
    "googlenet": GoogLeNet,
    "resnet18": partial(ResNet, variant="resnet18"),
    "resnet20": partial(ResNet, variant="resnet20"),
    "xception": Xception,
}
assert set(_MAKERS) == set(VARIANTS)


def make_network(name: str, *, channels: int, classes: int, width: float = 1.0) -> Classifier:
    """A network with initial weights from torch's generator.

    Args:
        name: of `VARIANTS`.
        channels: of an image, 1 or 3.
        classes: how many logits.
        width: of its layers, as a share of the paper's; LeNet keeps its own.
    """
    return _MAKERS[name](channels, classes, width=width)
